"""One fact by several ways is one event with several witnesses."""

from correlate_strategies import tell, timeline
from msgspec.structs import replace

from eventd.model import Event


def test_log_trap_and_snmp_of_one_stop_are_one_event_with_its_witnesses() -> None:
    story = tell(
        """
        0   stop dpd timeout flow=A policy_seq=10 tunnel_index=5
        0.2 stop dpd timeout policy_seq=10 tunnel_index=5 via=trap
        0.4 stop dpd timeout flow=A policy_seq=10 ifindex=3 via=snmp
        """
    )
    assert story.duplicates == 2
    assert story.last.count == 1
    assert [w.transport for w in story.last.witnesses] == ["syslog-udp", "snmp-v2c"]


def test_retries_by_two_ways_are_counted_once_each_in_whatever_order() -> None:
    lines = ["0 fail authentication fail", "1 fail authentication fail"]
    lines += ["1.5 fail authentication fail via=snmp", "1.7 fail authentication fail via=snmp"]
    lines += ["2 fail authentication fail"]
    story = tell("\n".join(lines))
    assert story.duplicates == 2
    assert story.last.count == 3


def test_the_same_bytes_again_are_a_retransmission() -> None:
    story = tell("0 fail authentication fail seq=1\n1 fail authentication fail seq=1\n2 fail authentication fail seq=2")
    assert story.duplicates == 1
    assert story.last.count == 2


def test_a_different_tunnel_reason_peer_or_device_is_no_twin() -> None:
    for other in ("flow=B", "flow=A peer=2.1.1.2", "flow=A device=FW2"):
        assert tell(f"0 stop dpd timeout flow=A\n1 stop dpd timeout via=snmp {other}").duplicates == 0
    assert tell("0 stop dpd timeout\n1 stop peer request via=snmp").duplicates == 0


def test_after_the_window_it_is_another_fact() -> None:
    assert tell("0 stop dpd timeout\n5.5 stop dpd timeout via=snmp").duplicates == 0


def test_a_quick_cycle_told_twice_is_one_cycle() -> None:
    story = tell("0 stop dpd timeout\n1 start\n2 stop dpd timeout via=snmp\n3 start via=snmp")
    assert story.duplicates == 2
    assert story.suppressed == ["recovered-in-hold"]


def test_a_stop_overtaken_by_its_start_is_recognised_by_the_devices_clock() -> None:
    story = tell("1 start stamp=1\n2 stop dpd timeout stamp=0", until=1000)
    assert story.told == []
    assert story.suppressed == ["recovered-in-hold"]
    assert next(story.correlator.peers()).up is True


def test_within_one_second_of_the_device_its_counter_decides() -> None:
    assert tell("1 start stamp=1 seq=8\n2 stop dpd timeout stamp=1 seq=7").told == []
    assert tell("1 start stamp=1 seq=7\n2 stop dpd timeout stamp=1 seq=8").told == ["17 opened tunnel_down major"]


def test_a_start_overtaken_by_a_stop_proves_nothing() -> None:
    story = tell("1 stop dpd timeout stamp=1\n2 start stamp=0")
    assert story.told == ["16 opened tunnel_down major"]
    assert story.suppressed == ["overtaken"]


def test_a_failure_overtaken_by_the_start_is_over() -> None:
    story = tell("0 stop dpd timeout stamp=0\n4 start stamp=4\n5 fail authentication fail stamp=3", until=1000)
    assert story.told == []


def unnumbered(text: str) -> list[tuple[float, Event]]:
    """A timeline whose messages differ in nothing but what they say: no counter, the same printed second."""
    return [
        (at, replace(event, header=replace(event.header, seq=None), raw=f"{event.event} {event.header.mark}"))
        for at, event in timeline(text)
    ]


def test_a_start_in_between_makes_the_same_bytes_a_new_stop() -> None:
    story = tell(unnumbered("0 stop dpd timeout stamp=0\n1 start stamp=0\n2 stop dpd timeout stamp=0"))
    assert story.told == ["17 opened tunnel_down major"]
    assert story.duplicates == 0
    again = tell(unnumbered("0 stop dpd timeout\n1 start\n2 stop dpd timeout\n2 stop dpd timeout"))
    assert again.duplicates == 1


def test_a_start_of_another_tunnel_in_between_leaves_it_a_retransmission() -> None:
    story = tell(unnumbered("0 stop dpd timeout flow=A\n1 start flow=B\n2 stop dpd timeout flow=A"))
    assert story.duplicates == 1


def test_numbered_bytes_are_a_retransmission_whatever_came_in_between() -> None:
    assert tell("0 stop dpd timeout seq=5\n1 start seq=6\n2 stop dpd timeout seq=5").duplicates == 1
    traps = "0 stop dpd timeout via=snmp\n1 start via=snmp\n2 stop dpd timeout via=snmp"
    assert tell(unnumbered(traps)).duplicates == 1


def test_two_ways_that_tell_a_cycle_and_a_half_tell_three_facts() -> None:
    lines = "{0} stop dpd timeout via={1}\n{2} start via={1}\n{3} stop dpd timeout via={1}\n"
    text = lines.format(0, "log", 1, 2) + lines.format(2.1, "trap", 2.2, 2.3)
    story = tell(unnumbered(text))
    assert story.duplicates == 3
    assert story.told == ["17 opened tunnel_down major"]
