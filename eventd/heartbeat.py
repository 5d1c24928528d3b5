"""Whether eventd may say that all is well: the ``[heartbeat]`` table, and which stage of the pipeline does not beat.

Whoever waits for the heartbeat is told by its absence that alarms would not arrive. So it says nothing unless every
stage has lately done its work: receivers listen, the pipeline steps, the store commits, each channel has its worker.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from eventd.checked import Fault
from eventd.model import utc
from eventd.notify.alert import Alert
from eventd.notify.endpoint import Endpoint, TransportSettings, endpoint
from eventd.notify.guard import TRY_TIMEOUT_S
from eventd.notify.secrets import read_secret, ways, ways_faults
from eventd.notify.worker import MAX_SLEEP_S

#: File names are absolute, or relative to the directory that eventd runs in, by now.
_HERE = Path()
#: The pipeline makes a step every second, with messages or without; a commit on a disk that is busy may take longer.
PIPELINE_S = 30.0
#: The store is written for the heartbeat itself, right before.
STORE_S = 30.0
#: A worker that is well is at most in a try, in another one as plain text, or asleep; the rest is for the store.
DELIVERY_S = 2 * TRY_TIMEOUT_S + MAX_SLEEP_S + 30.0
#: The alert ends by itself when it was not told again for so many intervals.
INTERVALS_AHEAD = 4


class Settings(TransportSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url`` (or ``url_file``, ``url_env``) is asked every ``every`` seconds by ``method``; with ``alertmanager`` the
    alert ``Watchdog`` fires at every channel of that type."""

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None
    method: Literal["POST", "GET"] = "POST"
    every: Annotated[float, Meta(ge=5, le=3600)] = 60.0
    alertmanager: bool = False

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from ways_faults(given, "url")

    @property
    def on(self) -> bool:
        """Whether anybody waits for it."""
        return self.alertmanager or bool(ways(self, "url"))

    def far_end(self) -> Endpoint | None:
        """Where ``url`` leads. Raises ValueError where it, the CA file or the proxy cannot be used."""
        url = read_secret(self, "url", _HERE)
        return None if url is None else endpoint(url, self, _HERE)


class Beats(Struct, frozen=True):
    """When each stage was last seen at work, in seconds of one clock that never goes back.

    ``unready``: why the service should not be relied on, if so. ``delivery``: by channel. ``stored`` None: never yet.
    """

    unready: str | None
    pipeline: float
    stored: float | None
    delivery: Mapping[str, float]


def not_beating(beats: Beats, now: float) -> list[str]:
    """What stands still, in words; empty while all is well."""
    found = [beats.unready] if beats.unready else []
    if now - beats.pipeline > PIPELINE_S:
        found.append(f"The pipeline has made no step for {now - beats.pipeline:.0f} s.")
    if beats.stored is None or now - beats.stored > STORE_S:
        found.append("The store takes no writes.")
    for channel, at in beats.delivery.items():
        if now - at > DELIVERY_S:
            found.append(f"Delivery to {channel} stands still for {now - at:.0f} s.")
    return found


class Moves:
    """When counters were last seen to move. A counter that starts anew has moved."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def look(self, counts: Mapping[str, int], now: float) -> dict[str, float]:
        """Since when each of ``counts`` has its value. What is not among them is forgotten."""
        before = self._seen
        self._seen = {
            name: before[name] if name in before and before[name][0] == count else (count, now)
            for name, count in counts.items()
        }
        return {name: at for name, (_, at) in self._seen.items()}


def watchdog(instance: str, since: datetime, now: float, every: float, url: str | None) -> Alert:
    """The alert that always fires, for ``every`` seconds times `INTERVALS_AHEAD` from ``now`` (Unix seconds)."""
    labels = {"alertname": "Watchdog", "severity": "none", "job": "eventd", "instance": instance}
    told = {
        "summary": f"eventd on {instance} receives, judges and tells",
        "description": (
            f"This alert always fires and is told again every {every:.0f} s while every stage of eventd works. Send it "
            "to a service that raises the alarm when it stays away: then no tunnel alarm would arrive either."
        ),
    }
    ends = utc(now + INTERVALS_AHEAD * every)
    return Alert(labels, told, since, ends, url) if url else Alert(labels, told, since, ends)
