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
#: Facts of a peer that are saved, the latest: what tells them once more after a restart comes within a second or two of
#: them. All of a storm (`settings.MAX_FACTS`) would be 25 kB for each peer in each commit.
SAVED_FACTS = 32
_encode = msgspec.msgpack.Encoder().encode


def encode(state: State) -> bytes:
    """What `decode` takes. Nobody may look at the state meanwhile."""
    if not isinstance(state, PeerState):
        return _encode(state)
    facts = state.facts
    try:
        state.facts = facts[-SAVED_FACTS:]
        _fold(state)
        return _encode(state)
    finally:
        _unfold(state)
        state.facts = facts


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
    if case is not None:  # the last one first: what it is compared with is there yet
        if case.knew is not None and case.knew is (case.cause or case.stop or before):
            case.knew, peer.same = None, ("knew",)
        if case.cause is not None and case.cause is (case.stop or before):
            case.cause, peer.same = None, (*peer.same, "cause")
        if case.stop is not None and case.stop is before:
            case.stop, peer.same = None, (*peer.same, "stop")
    ident = None
    for fact in peer.facts:
        if fact.ident is ident:
            fact.ident = ()
        else:
            ident = fact.ident


def _unfold(peer: PeerState) -> None:
    before, case, same = peer.last_stop, peer.case, peer.same
    if case is not None and same:
        if "stop" in same:
            case.stop = before
        if "cause" in same:
            case.cause = case.stop or before
        if "knew" in same:
            case.knew = case.cause or case.stop or before
    peer.same = ()
    ident: tuple[str | int | None, ...] = ()
    for fact in peer.facts:
        if fact.ident:
            ident = fact.ident
        else:
            fact.ident = ident
