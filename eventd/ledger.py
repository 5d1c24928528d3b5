"""The ledger of messages: received = parsed + rejected, parsed = events + unrecognised, events = judged + duplicates.

Kept twice, by the process (`eventd.telemetry`) and by the store. A step is entered at once, because nobody looks while
it lasts and counting one by one costs as much as refusing a line.
"""

from collections import Counter
from collections.abc import MutableMapping

from eventd.telemetry import Telemetry

#: How a message may end, and what it counts as until then.
LEDGER = {
    "rejected": ("received", "rejected"),
    "unrecognised": ("received", "parsed", "unrecognised"),
    "correlated": ("received", "parsed", "events", "correlated"),
    "duplicates": ("received", "parsed", "events", "duplicates"),
}
BY_TRANSPORT = ("parsed", "unrecognised")
IN_ALL = ("correlated", "duplicates")


class Sheet:
    """What one step of the pipeline has come to so far: how messages of each transport ended, what events were told and
    why (category and name of the reason, where it is not a duplicate), and when those arrived that were judged."""

    __slots__ = ("arrived", "ends", "told")

    def __init__(self) -> None:
        self.ends = Counter[tuple[str, str]]()
        self.told = Counter[tuple[str, tuple[str, str] | None]]()
        self.arrived = Counter[float]()


def enter(sheet: Sheet, tallies: MutableMapping[str, int], telemetry: Telemetry, now: float) -> None:
    """Add a step to the ``tallies`` of a batch and to what the process exports; its verdicts are there ``now``. What
    is received was counted at the socket, refusals where their kind was known."""
    for (transport, end), n in sheet.ends.items():
        for name in LEDGER[end]:
            tallies[name] = tallies.get(name, 0) + n
            if name in BY_TRANSPORT:
                telemetry.inc(name, transport, n=n)
            elif name in IN_ALL:
                telemetry.inc(name, n=n)
    for (event, why), n in sheet.told.items():
        telemetry.inc("events", event, n=n)
        if why is not None:
            telemetry.inc("reasons", event, *why, n=n)
    for received_at, n in sheet.arrived.items():
        telemetry.observe("pipeline_latency_seconds", max(0.0, now - received_at), n=n)
