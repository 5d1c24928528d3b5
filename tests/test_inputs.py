"""Files put together by time: nothing is lost, and time never goes back."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd import inputs
from eventd.inputs import in_order
from eventd.model import Message

times = st.integers(0, 20).map(float)


def files(stamps: list[list[float]]) -> list[list[Message]]:
    return [
        [Message("syslog-udp", "192.0.2.1", 0, at, b"%d %d" % (file, line)) for line, at in enumerate(one)]
        for file, one in enumerate(stamps)
    ]


@given(st.lists(st.lists(times, max_size=12), max_size=4))
def test_what_comes_out_is_sorted_and_equal_times_keep_the_order_of_files_and_lines(stamps: list[list[float]]) -> None:
    made = files(stamps)
    assert list(in_order(made)) == sorted((one for file in made for one in file), key=lambda one: one.received_at)


@given(st.lists(st.lists(times, max_size=12), max_size=4))
def test_beyond_the_bound_what_is_late_comes_late_and_nothing_is_lost(stamps: list[list[float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "REORDER", 2)
        made = files(stamps)
        found = list(in_order(made))
    assert Counter(one.payload for one in found) == Counter(one.payload for file in made for one in file)
    assert [one.received_at for one in found] == sorted(one.received_at for one in found)
