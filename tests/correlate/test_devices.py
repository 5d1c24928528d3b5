"""Self-heal, capacity, security: matters of a device."""

from correlate_strategies import EPOCH, Story, parse, restart, tell
from msgspec.structs import replace

from eventd.contract import Verdict
from eventd.correlate import Correlator, Settings
from eventd.inventory import Device, Inventory
from eventd.model import Header


def test_a_first_self_heal_is_info_and_ends_by_itself() -> None:
    story = tell("0 heal peer=none slot=1", until=5000)
    assert story.told == ["0 opened flow_self_heal info", "3600 resolved flow_self_heal info"]
    assert story.last.peer is None


def test_the_third_within_the_hour_is_a_fault_of_the_device() -> None:
    story = tell("0 heal peer=none slot=1\n600 heal peer=none slot=1\n1200 heal peer=none slot=1", until=1300)
    assert story.told == ["0 opened flow_self_heal info", "1200 updated flow_self_heal warning"]
    assert "all in slot 1" in story.last.summary
    assert story.last.opened_severity == "info"


def test_three_in_a_day_are_none() -> None:
    story = tell("0 heal\n4000 heal\n8000 heal", until=20_000)
    assert {line.split()[-1] for line in story.told} == {"info"}


def test_a_self_heal_is_told_in_the_chain_of_a_stop_near_it() -> None:
    story = tell("0 heal peer=none\n10 stop dpd timeout")
    assert "10:00:00 device repaired lost flows, 10 s before" in story.last.chain


def test_capacity_opens_at_once_and_ends_by_its_clear() -> None:
    story = tell("0 capacity peer=none severity=major\n50 capacity peer=none severity=major state=clear")
    assert story.told == ["0 opened capacity major", "50 resolved capacity major"]


def test_a_board_that_fails_is_no_limit() -> None:
    story = tell(
        "0 capacity peer=none severity=major kind=service-fault\n"
        "50 capacity peer=none severity=major kind=service-fault state=clear"
    )
    assert story.told == ["0 opened capacity major", "50 resolved capacity major"]
    opened, over = story.changes[0][1].incident, story.last
    assert "IPsec service" in opened.title
    assert "the IPsec service failed" in opened.summary
    assert "works again" in over.summary
    assert "limit" not in opened.title + opened.summary + over.title + over.summary + "".join(over.chain)


def test_capacity_without_a_clear_ends_after_an_hour_without_repetition() -> None:
    story = tell("0 capacity peer=none severity=major\n3000 capacity peer=none severity=major", until=9000)
    assert story.told == ["0 opened capacity major", "6600 resolved capacity major"]


def test_security_hygiene_is_not_told_and_a_warning_is_told_once() -> None:
    assert tell("0 security").suppressed == ["hygiene"]
    story = tell("\n".join(f"{n} security severity=warning" for n in range(50)))
    assert story.told == ["0 opened security warning"]


def test_a_flood_of_security_events_from_many_addresses_is_bounded() -> None:
    story = tell("\n".join(f"{n} security severity=warning peer=10.0.{n // 250}.{n % 250}" for n in range(500)))
    assert len(story.final) == 65
    assert story.last.peer is None


def test_a_poor_sla_link_is_degraded_until_it_clears() -> None:
    story = tell("0 sla-poor severity=warning\n9000 sla-poor severity=warning state=clear")
    assert story.told == ["0 opened tunnel_degraded warning", "9000 resolved tunnel_degraded warning"]


def test_a_clear_of_nothing_is_context() -> None:
    assert tell("0 capacity peer=none state=clear").suppressed == ["context"]


def test_a_clear_of_another_name_ends_what_it_says_it_ends() -> None:
    raised = [parse("0 capacity peer=none severity=major", 0)[1], parse("0 capacity peer=none severity=major", 1)[1]]
    named = [replace(event, header=Header(notification=f"hwLimit{n}")) for n, event in enumerate(raised)]
    clear = replace(
        parse("9 capacity peer=none severity=info state=clear", 2)[1],
        header=Header(notification="hwLimit1Resume"),
        extra={"state": "clear", "clears": "hwLimit1"},
    )
    story = tell([(0, named[0]), (1, named[1]), (9, clear)])
    assert story.told[2:] == ["9 resolved capacity major"]
    assert [i.summary.count("hwLimit0") for i in story.correlator.open_incidents()] == [1]


def test_a_log_clears_what_a_trap_raised_if_there_is_only_one() -> None:
    story = tell("0 capacity peer=none severity=major via=snmp\n9 capacity peer=none state=clear via=log")
    assert story.told == ["0 opened capacity major", "9 resolved capacity major"]


# --- silence --------------------------------------------------------------------------------------------------------

WATCHED = Inventory([Device(name="FW1", silent_after=1800.0)])


def hearing(*at: float, until: float, restarts: tuple[float, ...] = ()) -> Story:
    """A device that says something of no known event at these times."""
    story = Story(Correlator(Settings(), WATCHED))
    for moment in sorted([*at, *restarts]):
        story.take(moment, story.correlator.tick(EPOCH + moment))
        if moment in restarts:
            restart(story, Settings(), WATCHED)
        elif (verdict := story.correlator.hear("FW1", EPOCH + moment)) is not None:
            story.take(moment, verdict)
    story.take(until, story.correlator.tick(EPOCH + until))
    return story


def test_a_device_that_falls_silent_is_told_once_and_ends_with_its_next_word() -> None:
    story = hearing(0, 600, 1200, 9000, until=10_000)
    assert story.told == ["3000 opened device_silent major", "9000 resolved device_silent major"]
    assert "nothing at all has been heard" in story.changes[0][1].incident.summary
    assert story.changes[0][1].incident.title == "FW1 is silent, since 10:20 UTC"


def test_it_is_watched_again_after_it_spoke() -> None:
    assert len(hearing(0, 9000, until=20_000).told) == 3


def test_what_was_said_while_eventd_was_down_nobody_knows() -> None:
    assert hearing(0, until=5000, restarts=(4000,)).told == ["1800 opened device_silent major"]
    story = Story(Correlator(Settings(), WATCHED))
    story.take(0, story.correlator.hear("FW1", EPOCH) or Verdict())
    restart(story, Settings(), WATCHED)
    story.take(4000, story.correlator.tick(EPOCH + 4000))
    assert story.told == []
    story.take(9000, story.correlator.tick(EPOCH + 9000))
    assert story.told == ["5800 opened device_silent major"]


def test_silence_of_others_says_nothing() -> None:
    assert Correlator(Settings(), WATCHED).hear("FW2", EPOCH) is None
    assert Correlator(Settings(), WATCHED).next_deadline() is None
