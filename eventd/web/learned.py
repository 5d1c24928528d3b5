"""What devices taught eventd about themselves that the inventory does not say: it completes the inventory, and is shown
as learned. Bounded lists, each with how many there are."""

from collections.abc import Iterable, Iterator

from eventd.identity import Seen
from eventd.web.answers import Learned, Some
from eventd.web.service import Service

#: Of each list; a device has a handful, and whoever has more is a relay or makes them up.
MAX_LISTED = 20


class Learner:
    """Answers for one request: what was seen of all devices is put together once."""

    def __init__(self, service: Service) -> None:
        self._inventory, self._fleet = service.inventory, service.correlator.fleet
        self._seen = service.identities.seen()

    def of(self, device: str) -> Learned:
        """What was learned of that device."""
        seen = self._seen.get(device, Seen())
        peers = [state for _, state in self._fleet.of_device(device)]
        return Learned(
            addresses=_some(self._unlisted(self._fleet.used(device), device)),
            hostnames=_some(self._unlisted(seen.hostnames, device)),
            sources=_some(self._unlisted(seen.sources, device)),
            engine_ids=_some(self._unlisted(seen.engine_ids, device)),
            peers=_some(peer.peer for peer in peers if peer.peer and self._inventory.peer(peer.peer) is None),
            tunnels=sum(len(peer.tunnels) for peer in peers),
        )

    def _unlisted(self, found: Iterable[str], device: str) -> Iterator[str]:
        for one in found:
            listed = self._inventory.known_as(one)
            if listed is None or listed.name != device:
                yield one


def _some(found: Iterable[str]) -> Some:
    ordered = sorted(set(found))
    return Some(len(ordered), tuple(ordered[:MAX_LISTED]))
