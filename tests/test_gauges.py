"""Values that are looked up at every scrape: what has a series keeps it, and counters never fall."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from eventd.gauges import Gauges
from eventd.inventory import Inventory
from eventd.model import PeerStatus, utc
from eventd.telemetry import Telemetry


def status(number: int, device: str = "FW1") -> PeerStatus:
    return PeerStatus(
        device=device,
        vsys="public",
        peer=f"10.0.0.{number}",
        peer_name=None,
        site=None,
        up=True,
        since=utc(1_790_000_000.0),
        state_changes=1,
        tunnels_up=1,
        tunnels_down=0,
        last_reason=None,
        incident=None,
    )


class Watched:
    """A service of which only the peers and receivers matter."""

    def __init__(self, peers: int, max_peers: int = 4) -> None:
        self.listed = [status(number) for number in range(peers)]
        self.metrics = SimpleNamespace(peer_labels=True, max_peers=max_peers)
        self.config: Any = SimpleNamespace(metrics=self.metrics, inventory=Inventory())
        self.correlator: Any = SimpleNamespace(named_peers=self._peers)
        self.telemetry = Telemetry()
        self.learned: dict[str, dict[str, float]] = {}
        decoder = SimpleNamespace(identities=SimpleNamespace(learned=self.learned))
        self.pipeline: Any = SimpleNamespace(decoder=decoder)
        self.store: Any = None
        self.listeners: Any = SimpleNamespace(kernel_drops=dict)
        self.gauges = Gauges(self)
        self.gauges.provide(self.telemetry)

    def _peers(self) -> Iterator[PeerStatus]:
        return iter(self.listed)

    def up(self) -> set[str]:
        asyncio.run(self.gauges.look_at_peers())
        return {labels[1] for labels in self.telemetry.values("peer_up")}

    def overflow(self) -> float:
        asyncio.run(self.gauges.look_at_peers())
        return self.telemetry.value("label_overflow", "peer_up")


def test_a_peer_that_has_its_series_keeps_it_however_often_others_speak() -> None:
    house = Watched(peers=5)
    before = house.up()
    assert len(before) == 4
    house.listed.append(house.listed.pop(0))  # the correlator lists those heard last at the end
    assert house.up() == before


def test_a_place_is_free_again_when_its_peer_is_forgotten() -> None:
    house = Watched(peers=5)
    house.up()
    del house.listed[1]
    assert house.up() == {f"10.0.0.{number}" for number in (0, 2, 3, 4)}


def test_peers_left_out_are_counted_once_each_and_never_uncounted() -> None:
    house = Watched(peers=8)
    house.up()
    assert house.overflow() == house.overflow() == 4
    del house.listed[6:]
    house.up()
    assert house.overflow() == 4
    house.listed.append(status(99))
    house.up()
    assert house.overflow() == 5


def test_a_lower_cap_is_kept_and_a_higher_one_used() -> None:
    house = Watched(peers=8)
    house.up()
    house.metrics.max_peers = 2
    assert house.up() == {"10.0.0.0", "10.0.0.1"}
    house.metrics.max_peers = 100
    assert len(house.up()) == 8


def test_addresses_with_several_host_names_are_counted_and_not_named() -> None:
    house = Watched(peers=0)
    assert house.telemetry.values("sources_with_several_hostnames") == {(): 0}
    house.learned |= {"192.0.2.1": {"FW1": 1.0, "FW2": 2.0}, "192.0.2.2": {"FW3": 1.0}}
    assert house.telemetry.values("sources_with_several_hostnames") == {(): 1}
