"""A pair that switches over is no outage as long as the other unit has the tunnels."""

from correlate_strategies import tell

BEFORE = "-900 start device=FW1 local=1.1.1.1\n"


def test_what_the_other_unit_has_taken_over_in_the_hold_is_not_told() -> None:
    story = tell(f"{BEFORE}0 failover device=FW1\n1 stop peer request device=FW1\n6 start device=FW2 local=1.1.1.1")
    assert story.told == []
    assert "switch-over" in story.suppressed
    assert {(peer.device, peer.up) for peer in story.correlator.peers()} == {("FW1", None), ("FW2", True)}


def test_what_it_takes_over_later_ends_the_outage() -> None:
    story = tell(f"{BEFORE}0 failover device=FW2\n1 stop dpd timeout device=FW1\n60 start device=FW2 local=1.1.1.1")
    assert [line.split()[1] for line in story.told] == ["opened", "resolved"]
    assert "FW2 has taken it over" in story.last.summary


def test_without_a_switch_over_another_device_proves_nothing() -> None:
    story = tell(f"{BEFORE}1 stop dpd timeout device=FW1\n6 start device=FW2 local=1.1.1.9")
    assert [line.split()[1] for line in story.told] == ["opened"]
