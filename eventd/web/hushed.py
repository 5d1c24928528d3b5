"""What nobody is told of: silences and planned work as rows, and whether an incident is silenced now, because what is
kept of it says only how that was when it last changed."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from eventd.correlate.hush import Maintenance, Silence
from eventd.matching import Choice
from eventd.model import Incident, utc
from eventd.web.answers import SilenceRow
from eventd.web.service import Service


def as_now(service: Service, incidents: Iterable[Incident]) -> Sequence[Incident]:
    """Incidents as they were kept, each open one with ``silenced`` by the silences and windows in force."""
    now = service.now()
    known: Sequence[Silence | Maintenance] = (*service.correlator.silences(), *service.maintenance)
    holding = Choice((one.match, one) for one in known if one.covers(now) is not None)
    return [_as_now(incident, holding) for incident in incidents]


def _as_now(incident: Incident, holding: Choice[Silence | Maintenance]) -> Incident:
    if incident.status != "open":
        return incident
    return replace(incident, silenced=next(holding.fitting(incident), None) is not None)


def quiet_rows(service: Service) -> Iterator[SilenceRow]:
    """Silences that are known, and the planned work of the configuration."""
    now = service.now()
    yield from (silence_row(silence, now) for silence in service.correlator.silences())
    yield from (_window_row(index, window, now) for index, window in enumerate(service.maintenance))


def silence_row(silence: Silence, now: float, incidents: int | None = None, notes: Sequence[str] = ()) -> SilenceRow:
    """A silence as the API shows it."""
    return SilenceRow(
        id=silence.id,
        status="active" if silence.covers(now) else "expired" if silence.until <= now else "pending",
        match=silence.match,
        starts_at=utc(silence.starts),
        until=utc(silence.until),
        who=silence.who,
        reason=silence.reason,
        incidents=incidents,
        notes=tuple(notes),
    )


def _window_row(index: int, window: Maintenance, now: float) -> SilenceRow:
    starts, until = window.window(now)
    return SilenceRow(
        id=f"maintenance[{index}]",
        status="active" if starts <= now < until else "expired" if until <= now else "pending",
        match=window.match,
        starts_at=utc(starts),
        until=utc(until),
        who="configuration",
        reason=window.reason,
        kind="maintenance",
        window=f"{window.weekly} {window.time_zone}" if window.weekly is not None else None,
    )
