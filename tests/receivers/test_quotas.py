"""How much one source may send."""

from hypothesis import given
from hypothesis import strategies as st

from eventd.receivers import quotas
from eventd.receivers.quotas import Quotas


def test_a_second_s_worth_may_come_at_once_and_then_the_rate_holds():
    limit = Quotas(10)
    assert [limit.allows("a", 100.0) for _ in range(11)] == [True] * 10 + [False]
    assert [limit.allows("a", 100.15) for _ in range(2)] == [True, False]
    assert [limit.allows("a", 200.0) for _ in range(11)] == [True] * 10 + [False]


def test_sources_do_not_share():
    limit = Quotas(1)
    assert [limit.allows(source, 0.0) for source in "aabb"] == [True, False, True, False]


def test_a_rate_below_one_lets_single_messages_through():
    limit = Quotas(0.1)
    assert [limit.allows("a", at) for at in (0.0, 9.9, 10.1)] == [True, False, True]


def test_a_clock_that_steps_back_gives_nothing_and_blocks_nobody():
    limit = Quotas(1)
    assert [limit.allows("a", at) for at in (1000.0, 10.0, 11.5)] == [True, False, True]


def test_what_came_above_the_rate_is_waited_for():
    limit = Quotas(10)
    assert limit.wait_after("a", 9, 0.0) == 0
    assert limit.wait_after("a", 1, 0.0) == 0.1
    assert limit.wait_after("a", 100, 0.0) == 10.1
    assert limit.wait_after("a", 0, 10.1) == 0


@given(st.floats(0.5, 1000), st.lists(st.tuples(st.floats(0, 5), st.sampled_from("ab")), max_size=200))
def test_nobody_ever_gets_more_than_the_rate_and_one_second_s_worth(rate, arrivals):
    limit, now, taken = Quotas(rate), 0.0, {"a": 0, "b": 0}
    for gap, source in arrivals:
        now += gap
        taken[source] += limit.allows(source, now)
    assert max(taken.values()) <= rate * now + max(rate, 1) + 1e-6


def test_forged_sources_do_not_free_one_that_is_limited(monkeypatch):
    monkeypatch.setattr(quotas, "MAX_SOURCES", 10)
    limit = Quotas(1)
    assert limit.allows("flooder", 0.0)
    for n in range(1000):
        limit.allows(f"forged {n}", 0.0)
        assert not limit.allows("flooder", 0.0)


def test_forged_sources_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(quotas, "MAX_SOURCES", 10)
    limit = Quotas(1)
    for n in range(100):
        assert limit.allows(str(n), 0.0)
        assert len(limit._buckets) <= 10
