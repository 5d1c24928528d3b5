"""States as bytes: what is not written twice is there twice when they are read."""

import msgspec
from correlate_strategies import tell

from eventd.correlate import packing
from eventd.correlate.state import PeerState

STORY = """
0 start
10 stop dpd timeout
40 stop dpd timeout
41 start
50 stop dpd timeout peer=2.1.1.2
51 fail authentication fail
"""


def test_what_is_the_same_as_before_is_read_as_it_was_and_written_once() -> None:
    peers = tell(STORY, until=51).correlator.fleet.peers
    for key, peer in peers.items():
        before, plain = msgspec.to_builtins(peer), msgspec.msgpack.encode(peer)
        blob = packing.encode(peer)
        assert msgspec.to_builtins(peer) == before, "left as it was"
        assert packing.decode(key, blob) == peer == packing.decode(key, plain), "earlier versions wrote all of it"
        assert packing.encode(packing.decode(key, blob)) == blob
    told = [peer for peer in peers.values() if peer.case is not None and peer.case.stop is not None]
    assert told
    assert all(len(packing.encode(peer)) < 0.7 * len(msgspec.msgpack.encode(peer)) for peer in told)


def test_reasons_of_which_only_the_value_is_the_same_stay_apart() -> None:
    peer = next(iter(tell("0 stop dpd timeout", until=1).correlator.fleet.peers.values()))
    assert peer.case is not None
    assert peer.case.stop is not None
    peer.case.cause = msgspec.structs.replace(peer.case.stop)
    again = packing.decode(peer.key, packing.encode(peer))
    assert isinstance(again, PeerState)
    assert again.case is not None
    assert again == peer
    assert again.case.cause is not again.case.stop is again.last_stop


def test_of_a_storm_the_latest_facts_are_saved_and_all_are_remembered() -> None:
    storm = "\n".join(f"{n / 100} fail authentication fail raw={n}" for n in range(3 * packing.SAVED_FACTS))
    peer = next(iter(tell(storm, until=1).correlator.fleet.peers.values()))
    remembered = list(peer.facts)
    assert len(remembered) > packing.SAVED_FACTS
    again = packing.decode(peer.key, packing.encode(peer))
    assert isinstance(again, PeerState)
    assert peer.facts == remembered
    assert again.facts == remembered[-packing.SAVED_FACTS :]
