"""What is asked of incidents: one by one, and of many at once."""

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_incident

from eventd.matching import CLOSED, FACTS, Choice, matches

TEXTS = ("fw-1", "fw-2", "Lyon", "", "none", "major", "down")
WILD = ("fw-*", "*-1", "f*1", "f?-1*", "*[", "[a]*]w", "*[]]-2", "*", "fw-?", "[fl]w-1", "[")
WORDS = st.sampled_from(TEXTS + WILD)
PATTERNS = st.one_of(WORDS, st.lists(WORDS, min_size=1, max_size=3))
MATCHES = st.dictionaries(st.sampled_from([key for key in FACTS if key not in CLOSED]), PATTERNS, max_size=3)
INCIDENTS = st.builds(
    make_incident,
    device=WORDS,
    peer=WORDS | st.none(),
    site=WORDS | st.none(),
    device_site=WORDS | st.none(),
    owner=WORDS | st.none(),
    tags=st.lists(WORDS, max_size=2).map(tuple),
)


@given(st.lists(MATCHES, max_size=8), INCIDENTS)
def test_those_that_fit_are_found_in_their_order(asked: list[dict[str, str | list[str]]], incident) -> None:
    found = Choice((match, place) for place, match in enumerate(asked)).fitting(incident)
    assert list(found) == [place for place, match in enumerate(asked) if matches(match, incident)]


@given(WORDS, WORDS)
def test_wildcards_are_those_of_the_shell(fact: str, pattern: str) -> None:
    assert matches({"device": pattern}, make_incident(device=fact)) is fnmatchcase(fact, pattern)
