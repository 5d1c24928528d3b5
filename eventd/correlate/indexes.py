"""Ways to find peers by what they have in common, each as fast with 20,000 peers as with 20.

Nothing in here is a fact of its own: all of it follows from the states, and is made anew from them on every start.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Hashable, Iterator
from typing import Generic, TypeVar

from msgspec import Struct

from eventd.correlate import texts
from eventd.correlate.state import Case, PeerState, numbered
from eventd.model import Event

K = TypeVar("K", bound=Hashable)

#: How the keys of groups of a far end begin, and of those that have all that fell at a place of their device.
FAR, HERE = "group|far|", ("group|device|", "group|interface|")
#: An address at the beginning of a word of a flow that is not the unspecified one (RFC 4632, RFC 4291).
NETWORK = re.compile(
    r"(?<![^\s,;>])(?!0\.0\.0\.0(?![\d.])|::(?![\da-fA-F:]))(\d+(?:\.\d+){3}|[\da-fA-F]*:[\da-fA-F:.]+)"
)
#: Where a case is, as far as messages say it.
PLACE_FIELDS = ("interface", "ifindex", "policy", "policy_seq")


class Sets(Generic[K]):
    """Keys under what they share; a place that nobody is left in goes."""

    def __init__(self) -> None:
        self._keys: dict[K, set[str]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def at(self, place: K) -> Collection[str]:
        """The keys under ``place``, in no order."""
        return self._keys.get(place, ())

    def add(self, place: K, key: str) -> None:
        """Have ``key`` under ``place``."""
        known = self._keys.get(place)
        if known is None:
            self._keys[place] = {key}
        else:
            known.add(key)

    def discard(self, place: K, key: str) -> None:
        """Have it there no more."""
        known = self._keys.get(place)
        if known is not None:
            known.discard(key)
            if not known:
                del self._keys[place]


#: Shelves, each with the time under which a peer stands there, no two alike.
Spots = tuple[tuple[K, float], ...]


class Shelves(Generic[K]):
    """Keys of peers under what they share, each shelf in the order in which their cases began."""

    def __init__(self) -> None:
        self._rows: dict[K, list[tuple[float, str]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def move(self, key: str, old: Spots[K], new: Spots[K]) -> None:
        """Have ``key`` on the ``new`` shelves, and no more on the ``old`` ones, where it is."""
        for place, since in old:
            if (place, since) not in new:
                row = self._rows[place]
                del row[bisect_left(row, (since, key))]
                if not row:
                    del self._rows[place]
        for place, since in new:
            if (place, since) not in old:
                insort(self._rows.setdefault(place, []), (since, key))

    def near(self, place: K, since: float, window: float) -> list[str]:
        """Those that began within ``window`` seconds of ``since``, by their keys."""
        row = self._rows.get(place, [])
        return sorted(key for _, key in row[slice(*_span(row, since, window))])

    def count(self, place: K, since: float, window: float) -> int:
        """How many they are."""
        first, end = _span(self._rows.get(place, []), since, window)
        return end - first

    def oldest_first(self, place: K) -> list[tuple[float, str]]:
        """All of a shelf; not to be changed."""
        return self._rows.get(place, [])


def _span(row: list[tuple[float, str]], since: float, window: float) -> tuple[int, int]:
    return bisect_left(row, since - window, key=_since), bisect_right(row, since + window, key=_since)


def _since(entry: tuple[float, str]) -> float:
    return entry[0]


#: A name for what peers share: a word for the sort, then what it is.
Shelf = tuple[str | int | None, ...]


#: All that a standing follows from: what has not changed need not be made anew for every message.
Sign = tuple["str | int | float | Sign | None", ...]


class Standing(Struct, frozen=True, gc=False):
    """Where a peer is found because of the case it has, or because another one's case tells its matter: ``shelves`` by
    what may become one matter with others, ``places`` by where its case is. ``swings`` is its group once more, while it
    flaps and is up."""

    group: str = ""
    linked: str = ""
    swings: str = ""
    busy: bool = False
    shelves: Spots[Shelf] = ()
    places: Spots[Shelf] = ()
    sign: Sign = ()


NOWHERE = Standing()


def sign(peer: PeerState) -> Sign:
    """What `standing` looks at, of which the last is all that ``places`` follow from; empty for a peer that stands
    nowhere."""
    case = peer.case
    if case is None:
        return (peer.linked, peer.fell) if peer.linked else ()
    return (
        peer.linked,
        case.group,
        _swings(peer, case),
        case.announced,
        case.fell,
        case.family,
        case.stranger and case.failures > 1,
        None if case.cause is None else case.cause.text,
        (case.since, case.interface, case.ifindex, case.policy, case.policy_seq),
    )


def standing(peer: PeerState, found: Sign, before: Standing) -> Standing:
    """Where a peer belongs as it is, which is what ``found`` signs; it stood ``before``."""
    case = peer.case
    if case is None:
        if not peer.linked:
            return NOWHERE
        return Standing(linked=peer.linked, shelves=((lost(peer.device), peer.fell),), sign=found)
    stays = before.busy and before.sign[-1] == found[-1]
    return Standing(
        group=case.group,
        linked=peer.linked,
        swings=case.group if _swings(peer, case) else "",
        busy=True,
        shelves=tuple(_alike(peer, case)),
        places=before.places if stays else tuple((shelf, case.since) for shelf in _places(peer.device, case)),
        sign=found,
    )


def _swings(peer: PeerState, case: Case) -> bool:
    return case.kind == "flapping" and not peer.tunnels_down


def _alike(peer: PeerState, case: Case) -> Iterator[tuple[Shelf, float]]:
    """What may yet become one matter with others."""
    fell = case.fell
    if fell is not None:
        yield lost(peer.device), fell
        if not case.group.startswith(HERE):
            yield falling(peer.device), fell
            if peer.peer is not None and not case.group.startswith(FAR):
                yield falling_far(peer.peer), fell
    if case.group:
        return
    if case.stranger:
        if case.family == "failing" and (case.announced or case.failures > 1):
            yield strangers(peer.device), case.since
    elif case.family == "failing":
        yield failing(peer.device, case), case.since


def lost(device: str) -> Shelf:
    """Outages of peers of a device, whoever tells them."""
    return ("lost", device)


def falling(device: str) -> Shelf:
    """Outages of peers of a device that no group of that device has."""
    return ("falling", device)


def falling_far(address: str) -> Shelf:
    """Outages of one peer address, that no group of outages has."""
    return ("far", address)


def failing(device: str, case: Case) -> Shelf:
    """Peers of a device that fail to negotiate for the reason of ``case``, and that no group has."""
    return ("failing", device, texts.words(case.cause))


def strangers(device: str) -> Shelf:
    """Strangers at a device that no group has, and whom somebody was told of or will be: they have tried twice."""
    return ("strangers", device)


def _places(device: str, case: Case) -> Iterator[Shelf]:
    known = [getattr(case, name) is not None for name in PLACE_FIELDS]
    said = _mask(known)
    for name, is_known in zip(PLACE_FIELDS, known, strict=True):
        if is_known:
            yield (device, said, name, getattr(case, name))


def _mask(known: list[bool]) -> int:
    return sum(1 << place for place, is_known in enumerate(known) if is_known)


def shelves_at(event: Event) -> Iterator[list[Shelf]]:
    """Where to look for cases in the place of ``event``: the cases that say the same things of their place are on
    each of the shelves of one list, as far as they agree with it."""
    for said in range(1, 1 << len(PLACE_FIELDS)):
        names = [name for place, name in enumerate(PLACE_FIELDS) if said >> place & 1]
        values = [(name, getattr(event, name)) for name in names]
        found: list[Shelf] = [(event.device, said, name, value) for name, value in values if value is not None]
        if found:
            yield found


# --- what the tunnels of a peer say of it ---------------------------------------------------------------------------

#: Own end, interface and its number, and flow, of each of a peer's tunnels.
Seen = frozenset[tuple[str | None, str | None, int | None, str | None]]
NOTHING: Seen = frozenset()
#: The sort of trait that says which addresses are a device's own.
ENDING = "ending"


def seen(peer: PeerState) -> Seen:
    """What the tunnels of a peer say of where they are."""
    return frozenset((one.local, one.interface, one.ifindex, one.flow) for one in peer.tunnels.values())


def traits(peer: PeerState, places: Seen) -> Iterator[Shelf]:
    """By what a peer is found whose tunnels are at ``places``."""
    if places:
        yield at(peer.device, "")
    for local, interface, ifindex, flow in places:
        if flow and names_networks(flow):
            yield flow_of(peer, flow)
        if local:
            yield ending(peer.device, local)
            if peer.peer is not None:
                yield by_end(peer.peer, local)
        if interface:
            yield at(peer.device, interface)
        if ifindex is not None:
            yield at(peer.device, numbered(ifindex))


def at(device: str, interface: str) -> Shelf:
    """Peers with a tunnel at an interface of a device; with any, where that is empty."""
    return ("at", device, interface)


def ending(device: str, local: str) -> Shelf:
    """Peers of a device with a tunnel that ends at its address ``local``."""
    return (ENDING, device, local)


def by_end(address: str, local: str) -> Shelf:
    """Peers of that address, of whatever device, with a tunnel whose own end is ``local``."""
    return ("by end", address, local)


def flow_of(peer: PeerState, flow: str) -> Shelf:
    """Peers of the same device and vsys with a tunnel for that flow, as far as that says whose it is."""
    return ("flow", peer.device, peer.vsys, flow)


def names_networks(flow: str) -> bool:
    """Whether both ends of a flow are networks of their own: that of a tunnel interface, "anything", is everybody's."""
    return len(set(NETWORK.findall(flow))) > 1
