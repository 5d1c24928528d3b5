"""Whether an incident is silenced now: what is kept of it says only how that was when it last changed."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from eventd.correlate.hush import Maintenance, Silence
from eventd.matching import matches
from eventd.model import Incident
from eventd.web.service import Service


def as_now(service: Service, incidents: Iterable[Incident]) -> Sequence[Incident]:
    """Incidents as they were kept, each open one with ``silenced`` by the silences and windows in force."""
    now = service.now()
    known: Sequence[Silence | Maintenance] = (*service.correlator.silences(), *service.maintenance)
    holding = [one for one in known if one.covers(now) is not None]
    return [_as_now(incident, silenced=any(matches(one.match, incident) for one in holding)) for incident in incidents]


def _as_now(incident: Incident, *, silenced: bool) -> Incident:
    return incident if incident.status != "open" else replace(incident, silenced=silenced)
