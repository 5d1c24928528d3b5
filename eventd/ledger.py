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


def enter(ends: Counter[tuple[str, str]], tallies: MutableMapping[str, int], telemetry: Telemetry) -> None:
    """Add messages by (transport, end) to the ``tallies`` of a batch and to what the process exports. What is received
    was counted at the socket, refusals and events where their kind was known."""
    for (transport, end), n in ends.items():
        for name in LEDGER[end]:
            tallies[name] = tallies.get(name, 0) + n
            if name in BY_TRANSPORT:
                telemetry.inc(name, transport, n=n)
            elif name in IN_ALL:
                telemetry.inc(name, n=n)
