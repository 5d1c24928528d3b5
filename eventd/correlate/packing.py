"""States as bytes, for a restart. What is once more the very object that was written just before is left out: a reason
is a kilobyte of advice, and that of a stop is mostly the cause as well; the facts of a peer tell of the same tunnel."""

import msgspec

from eventd.correlate.state import DeviceState, GroupState, PeerState, State

#: What lies under a key, by its first word.
KINDS: dict[str, type[PeerState] | type[DeviceState] | type[GroupState]] = {
    "peer": PeerState,
    "device": DeviceState,
    "group": GroupState,
}
#: Reasons of a case in the order in which each may be the one before it, the first one that of the peer's last stop.
REASONS = ("stop", "cause", "knew")

_encode = msgspec.msgpack.Encoder().encode


def encode(state: State) -> bytes:
    """What `decode` takes. Nobody may look at the state meanwhile."""
    if not isinstance(state, PeerState):
        return _encode(state)
    _fold(state)
    try:
        return _encode(state)
    finally:
        _unfold(state)


def decode(key: str, blob: bytes) -> State:
    """The state that was written under ``key``. Raises ValueError for anything else."""
    kind = KINDS.get(key.partition("|")[0])
    if kind is None:
        raise ValueError(f"there is no state under {key!r}")
    state = msgspec.msgpack.decode(blob, type=kind)
    if isinstance(state, PeerState):
        state.key = key  # earlier versions did not keep it
        _unfold(state)
    return state


def _fold(peer: PeerState) -> None:
    before, case = peer.last_stop, peer.case
    for name in REASONS if case is not None else ():
        reason = getattr(case, name)
        if reason is not None and reason is before:
            setattr(case, name, None)
            peer.same = (*peer.same, name)
        before = reason or before
    ident = None
    for fact in peer.facts:
        if fact.ident is ident:
            fact.ident = ()
        else:
            ident = fact.ident


def _unfold(peer: PeerState) -> None:
    before, case = peer.last_stop, peer.case
    for name in REASONS if peer.same and case is not None else ():
        if name in peer.same:
            setattr(case, name, before)
        before = getattr(case, name) or before
    peer.same = ()
    ident: tuple[str | int | None, ...] = ()
    for fact in peer.facts:
        if fact.ident:
            ident = fact.ident
        else:
            fact.ident = ident
