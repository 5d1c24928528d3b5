"""Who may stay connected."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from eventd.receivers.roster import Roster


class Guest(SimpleNamespace):
    __hash__ = object.__hash__


def test_a_source_has_a_quarter_and_at_least_one():
    assert not Roster(1).has_its_share("a")
    roster = Roster(8)
    for _ in range(2):
        assert not roster.has_its_share("a")
        roster.add(Guest(source="a", proven=False))
    assert roster.has_its_share("a")
    assert not roster.has_its_share("b")


def test_the_oldest_silent_one_of_the_source_with_most_of_them_goes_first():
    roster = Roster(5, 9)
    guests = [Guest(source=source, proven=proven) for source, proven in zip("abbbb", (0, 1, 0, 0, 1), strict=True)]
    for guest in guests:
        roster.add(guest)
    assert roster.full
    assert roster.least_missed("c") is guests[2]
    roster.remove(guests[2])
    roster.remove(guests[3])
    assert roster.least_missed("c") is guests[0]
    assert roster.least_missed("b") is None, "it has more than the one that would have to go"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=60))
def test_whatever_comes_there_are_never_more_than_allowed_and_nobody_proven_leaves(arrivals):
    roster = Roster(8, 4)
    for source, proven in arrivals:
        if roster.has_its_share(source):
            continue
        if roster.full:
            victim = roster.least_missed(source)
            if victim is None:
                continue
            assert not victim.proven
            roster.remove(victim)
        roster.add(Guest(source=source, proven=proven))
        assert len(list(roster)) <= 8
        assert all(len(roster.of(source)) <= 4 for source in "abcd")
    for guest in roster:
        roster.remove(guest)
    assert not any(roster.of(source) for source in "abcd")
