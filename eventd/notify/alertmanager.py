"""Alertmanager, API v2: every configured peer is told, and told again while the alert fires."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from eventd.checked import Fault, all_of
from eventd.contract import Notifier, Pace
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Incident, Told, utc
from eventd.notify.alert import Alert, alerts
from eventd.notify.endpoint import Endpoint, HttpSettings, Part, configuring, endpoint
from eventd.notify.render import as_heard
from eventd.notify.session import Session

PATH = "/api/v2/alerts"
#: An address without what is put behind it, or with all of it.
_BARE = rf"^(?!.*(?:/api(?:/v\d+.*)?/?$|[?#]))|^[^?#]*{PATH}/?$"
#: A firing alert is said to end this many refreshes ahead: three may fail before Alertmanager calls it resolved.
REFRESHES_AHEAD = 4
#: Alerts per request: under a megabyte even with long annotations, so one refused request costs little.
CHUNK = 200
#: A far end that took none of so many requests takes nothing: halving a chunk down to its first alert fails eight
#: times, and again where the next one is to blame, too.
FAILED_IN_A_ROW = 16

#: What identifies an alert.
_Name = frozenset[tuple[str, str]]


def _name(alert: Alert) -> _Name:
    return frozenset(alert.labels.items())


class Settings(HttpSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``urls``: every Alertmanager of the cluster, never a load balancer. ``refresh_s``: how often open alerts are
    told again, in seconds (Alertmanager asks its clients for 30 s to 3 min)."""

    #: What `build` puts behind, or a page of the user interface.
    PARTS: ClassVar[tuple[Part, ...]] = (
        Part(f"urls: one has /api/… or #/… in it, and {PATH} is put behind that", re.compile(_BARE), "urls"),
    )

    urls: tuple[str, ...]
    refresh_s: Annotated[float, Meta(ge=5, le=600)] = 60.0

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        if given.get("urls") == ():
            yield "urls", "is empty: name every Alertmanager"


class Alertmanager:
    """Told is told when at least one peer accepted; failures of the rest are counted."""

    pace = Pace()
    digests = 0

    def __init__(self, name: str, peers: Sequence[Endpoint], refresh_s: float, session: Session) -> None:
        self.refresh_s: float | None = refresh_s
        self.far_ends = tuple(peers)
        self._name, self._peers, self._session = name, peers, session
        self._ahead_s = REFRESHES_AHEAD * refresh_s
        #: Peers that did not answer: left out of deliveries, so that one dead peer does not make each of them wait
        #: for a timeout, until a refresh reaches them and tells them everything at once.
        self._unreachable: set[Endpoint] = set()
        #: Peer → the alerts that it will not take.
        self._apart: dict[Endpoint, set[_Name]] = {}

    def _alerts(self, incident: Incident, now: float) -> list[Alert]:
        return alerts(incident, utc(now + self._ahead_s))

    async def deliver(self, told: Told) -> str | None:
        """Raises TypeError for a digest, which this channel does not take."""
        if isinstance(told, Digest):
            raise TypeError("takes no digests")
        reachable = [peer for peer in self._peers if peer not in self._unreachable]
        await self._tell_all(self._alerts(as_heard(told), self._session.clock()), reachable or self._peers)
        return None

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None:
        """Every peer is told all of it, in chunks; one alert that it will not take keeps back no other."""
        told = [alert for incident in incidents for alert in self._alerts(incident, now)]
        self._judge(await asyncio.gather(*(self._repeat(peer, told) for peer in self._peers)))

    async def _repeat(self, peer: Endpoint, told: Sequence[Alert]) -> DeliveryError | None:
        """Tell one peer; the last error, if something could not be told. What it will not take is halved until the
        alert is found that is to blame, which is told by itself from then on, after the others; not where it takes
        nothing at all."""
        apart = self._apart.get(peer, set[_Name]())
        bad = [alert for alert in told if _name(alert) in apart] if apart else []
        good = [alert for alert in told if _name(alert) not in apart] if apart else told
        self._apart[peer] = apart = {_name(alert) for alert in bad}
        chunks = [good[start : start + CHUNK] for start in range(0, len(good), CHUNK)]
        parts = deque[Sequence[Alert]]([*chunks, *([alert] for alert in bad)])
        alone, failed, takes_others, error = set[_Name](), 0, False, None
        while parts and failed < FAILED_IN_A_ROW:
            part = parts.popleft()
            if (result := await self._tell(peer, part)) is None:
                apart -= {_name(part[0])} if len(part) == 1 else set()
                failed, takes_others = 0, True
                continue
            error, failed = result, failed + 1
            if peer in self._unreachable or error.reason == DeliveryFailure.RATE_LIMITED:
                return error
            if (half := len(part) // 2) > 0:
                parts.extendleft((part[half:], part[:half]))
            else:
                alone.add(_name(part[0]))
        apart |= alone if takes_others else set()
        return error if alone or parts else None

    async def tell(self, told: Sequence[Alert]) -> None:
        """Tell every peer something that is no incident. Raises `DeliveryError` where none accepts."""
        await self._tell_all(told, self._peers)

    async def close(self) -> None: ...

    async def _tell_all(self, told: Sequence[Alert], peers: Sequence[Endpoint]) -> None:
        self._judge(await asyncio.gather(*(self._tell(peer, told) for peer in peers)))

    def _judge(self, results: Sequence[DeliveryError | None]) -> None:
        """Raises `DeliveryError` where no peer accepts."""
        failed = [error for error in results if error is not None]
        if len(failed) == len(results):
            # A peer that may accept later is worth waiting for, whatever the others said.
            failed.sort(key=lambda error: error.retryable)
            raise failed.pop()
        for error in failed:
            self._session.failures.note(self._name, error)

    async def _tell(self, peer: Endpoint, told: Sequence[Alert]) -> DeliveryError | None:
        try:
            answer = await self._session.post(peer, told)
        except DeliveryError as error:
            self._unreachable.add(peer)
            return error
        self._unreachable.discard(peer)
        return None if answer.ok else answer.error(peer)


def build(name: str, settings: Settings, session: Session) -> Alertmanager:
    """Raises `ConfigError` where an address, a secret or the CA file cannot be used."""
    with configuring(name):
        urls = [url.rstrip("/").removesuffix(PATH) + PATH for url in settings.urls]
        peers = all_of(*(partial(endpoint, url, settings, session.base, "urls") for url in urls))
        return Alertmanager(name, peers, settings.refresh_s, session)


NOTIFIER = Notifier(kind="alertmanager", settings=Settings, build=build)
