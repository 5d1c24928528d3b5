"""Which lines that went down are why many peers were lost, and why what is left of them is."""

from correlate_strategies import Story, tell

from eventd.model import Incident

ONE, TWO = "interface=GE1", "interface=GE2"


def many(at: float, verb: str, where: str, count: int, first: int = 1) -> str:
    net = 1 if where is ONE else 2
    return "\n".join(f"{at + n / 10:g} {verb} peer=10.0.{net}.{n} {where}" for n in range(first, first + count)) + "\n"


UP = many(-5000, "start", ONE, 60) + many(-5000, "start", TWO, 20)
LOST = "stop dpd timeout"


def heard(story: Story) -> list[Incident]:
    return [one.incident for _, one in story.changes if one.notify]


def causes(story: Story) -> list[str]:
    return [one.cause.text if one.cause else "" for one in heard(story)]


def test_who_is_still_held_counts_and_a_second_line_is_named_with_the_first() -> None:
    """At 50 s most of those that are told are on the line that says it is down, and not of those that fell."""
    fell = many(0, LOST, ONE, 20) + many(32, LOST, TWO, 5) + many(40, LOST, TWO, 8, 6)
    story = tell(f"{UP}{fell}50 linkdown peer=none {ONE}\n70 linkdown peer=none {TWO}\n", until=200)
    assert "link went down (GE1)" not in causes(story)
    assert causes(story)[-1] == "2 links went down (GE1, GE2)"
    assert [step.split(" ", 1)[1] for step in heard(story)[-1].chain][-2:] == [
        "link went down (GE1)",
        "link went down (GE2)",
    ]


def test_another_line_of_those_that_were_lost_is_named_beside_the_one_that_is_known() -> None:
    fell = many(0, LOST, ONE, 60) + many(2, LOST, TWO, 14)
    story = tell(f"{UP}{fell}30 linkdown peer=none {ONE}\n40 linkdown peer=none {TWO}\n", until=200)
    assert causes(story)[-2:] == ["60 link went down (GE1), 14 dpd timeout", "2 links went down (GE1, GE2)"]


def test_a_blip_is_not_why_peers_are_missed_long_after_it() -> None:
    blip = f"0 linkdown peer=none {ONE}\n3 linkup peer=none {ONE}\n"
    assert causes(tell(UP + blip + many(50, LOST, ONE, 12), until=200)) == ["dpd timeout"]
    assert causes(tell(UP + blip + many(0, LOST, ONE, 12), until=200)) == ["link went down (GE1)"]


def test_a_line_does_not_explain_those_that_were_lost_before_it_went_down() -> None:
    text = (
        f"{UP}{many(0, 'stop authentication fail', ONE, 10)}300 linkdown peer=none {ONE}\n"
        f"{many(310, LOST, ONE, 50, 11)}1200 linkup peer=none {ONE}\n{many(1210, 'start', ONE, 50, 11)}"
    )
    story = tell(text, until=2000)
    told = causes(story)
    assert told[0] == told[-1] == "authentication fail", "they are what is left when the line is up again"
    assert "50 link went down (GE1), 10 authentication fail" in told
    assert "link went down (GE1)" not in told
    lost = next(one for one in heard(story) if one.cause is not None and one.cause.text.startswith("50 "))
    assert not any("come back with the line" in step for step in lost.actions)


def test_the_line_of_all_that_are_left_is_why_though_it_was_not_of_all_that_fell() -> None:
    fell = many(0, LOST, ONE, 20) + many(2, LOST, TWO, 12)
    story = tell(f"{UP}{fell}50 linkdown peer=none {ONE}\n{many(1200, 'start', TWO, 12)}", until=2000)
    assert causes(story)[0] == "dpd timeout"
    assert causes(story)[-1] == "link went down (GE1)"


def test_a_start_over_a_line_shows_that_the_other_one_is_to_be_looked_at() -> None:
    down = f"0 linkdown peer=none {ONE}\n1 linkdown peer=none {TWO}\n"
    fell = many(2, LOST, ONE, 20) + many(2, LOST, TWO, 12)
    last = heard(tell(UP + down + fell + many(1200, "start", TWO, 12), until=2000))[-1]
    assert last.cause is not None
    assert last.cause.text.startswith("link GE1 is still down; GE2 is up again since ")
    assert last.actions[0].startswith("Look at GE1 first")
    assert any(step.endswith("line GE2 is up again") for step in last.chain)


def test_a_line_that_somebody_shut_down_is_no_matter_for_the_carrier() -> None:
    lost = heard(tell(f"{UP}0 linkdown peer=none {ONE} state=shut\n{many(3, LOST, ONE, 12)}", until=200))[0]
    assert lost.cause is not None
    assert lost.severity == "major", "it is an outage all the same"
    assert lost.actions == (
        "No fault of a line to look for: GE1 shut down by command; ask what it was for",
        "Leave the single tunnels alone: they come back with the line",
    )
