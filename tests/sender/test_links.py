"""Pacing keeps the average, and framings are those of the RFCs. (Sockets are tested through ``eventd send``.)"""

import pytest

from eventd.sender.links import FRAMINGS, paced


class Clock:
    """Time that passes only by sleeping and by ``work``."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_numbers_come_at_the_rate_asked_for() -> None:
    clock = Clock()
    assert [(n, round(clock.now - 100, 6)) for n in paced(4, 10.0, clock, clock.sleep)] == [
        (0, 0.0),
        (1, 0.1),
        (2, 0.2),
        (3, 0.3),
    ]


def test_a_late_number_does_not_delay_the_next_ones() -> None:
    clock, seen = Clock(), []
    for number in paced(5, 10.0, clock, clock.sleep):
        seen.append(round(clock.now - 100, 6))
        if number == 1:
            clock.now += 0.15
    assert seen == [0.0, 0.1, 0.25, 0.3, 0.4]


def test_without_rate_nobody_sleeps() -> None:
    clock = Clock()
    assert list(paced(1000, None, clock, clock.sleep)) == list(range(1000))
    assert clock.now == 100.0


@pytest.mark.parametrize(
    ("framing", "framed"),
    [("octet", b"5 a\n\xe9b "), ("lf", b"a\n\xe9b \n"), ("crlf", b"a\n\xe9b \r\n"), ("nul", b"a\n\xe9b \0")],
)
def test_framings_wrap_and_never_change_the_message(framing: str, framed: bytes) -> None:
    assert FRAMINGS[framing](b"a\n\xe9b ") == framed
