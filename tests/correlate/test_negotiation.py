"""Failed negotiations, alone and after a stop."""

from correlate_strategies import inventory, tell

KNOWN = inventory(name="Branch-5")


def test_one_failure_followed_by_success_tells_nobody() -> None:
    for success in ("start", "phase1", "success"):
        story = tell(f"0 fail authentication fail\n5 {success}", known=KNOWN)
        assert story.told == []
        assert story.suppressed[0] == "recovered-in-hold"


def test_repeated_failures_are_one_incident_told_once() -> None:
    lines = [f"{n * 10} fail authentication fail" for n in range(100)]
    story = tell("\n".join(lines))
    assert story.told == ["15 opened negotiation_failing warning"]
    assert story.last.count == 100
    assert len(story.changes) < 25
    assert story.last.chain == ("10:00:00 negotiation failed: authentication fail (100 times, last 10:16:30)",)


def test_a_lone_failure_of_a_known_peer_opens_after_the_hold() -> None:
    assert tell("0 fail authentication fail", known=KNOWN).told == ["15 opened negotiation_failing major"]


def test_a_lone_failure_of_a_stranger_is_forgotten() -> None:
    story = tell("0 fail authentication fail", until=4000)
    assert story.told == []
    assert story.suppressed == ["single-failure"]


def test_the_second_failure_of_a_stranger_opens_and_its_silence_ends_it() -> None:
    story = tell("0 fail authentication fail\n300 fail authentication fail", until=8000)
    assert story.told == ["300 opened negotiation_failing warning", "3900 resolved negotiation_failing warning"]


def test_a_lone_failure_beside_a_working_tunnel_is_forgotten() -> None:
    story = tell("0 start flow=A\n60 fail authentication fail", until=4000, known=KNOWN)
    assert story.told == []


def test_it_resolves_by_start_or_phase_1_after_the_recovery_hold() -> None:
    failing = "0 fail authentication fail\n5 fail authentication fail\n"
    assert tell(failing + "60 start").told[-1] == "65 resolved negotiation_failing warning"
    assert tell(failing + "60 phase1").told[-1] == "65 resolved negotiation_failing warning"
    assert tell(failing + "60 phase1\n63 fail authentication fail").correlator.open_incidents()


def test_phase_1_before_each_failing_phase_2_does_not_resolve_it() -> None:
    lines = [f"{n * 20} phase1\n{n * 20 + 1} fail phase2 proposal or pfs mismatch" for n in range(30)]
    assert tell("\n".join(lines), known=KNOWN).told == ["16 opened negotiation_failing major"]


def test_a_rekey_of_another_flow_does_not_resolve_it() -> None:
    story = tell(
        """
        0   start flow=A
        60  fail phase2 proposal or pfs mismatch flow=B
        70  fail phase2 proposal or pfs mismatch flow=B
        100 start flow=A
        130 fail phase2 proposal or pfs mismatch flow=B
        """,
        until=400,
    )
    assert story.told == ["75 opened negotiation_failing warning"], "the other flow works"


def test_failures_after_a_stop_join_it_and_explain_it() -> None:
    story = tell(
        """
        0  stop dpd timeout interface=GE1
        20 fail authentication fail
        25 fail authentication fail
        30 fail max transmit reached
        40 start
        """
    )
    assert story.told == [
        "15 opened tunnel_down major",
        "20 updated tunnel_down major",
        "45 resolved tunnel_down major",
    ]
    incident = story.last
    assert incident.cause is not None
    assert incident.cause.name == "authentication fail"
    assert incident.count == 4
    assert incident.actions == ("Step for authentication fail", "Step for all", "Step for dpd timeout")
    assert incident.chain[2] == "10:00:20 negotiation failed: authentication fail (twice, last 10:00:25)"


def test_silence_of_the_peer_does_not_replace_a_better_cause() -> None:
    story = tell("0 fail authentication fail\n5 stop dpd timeout\n8 fail max transmit reached")
    assert story.told == ["20 opened tunnel_down major"]
    assert story.last.cause is not None
    assert story.last.cause.name == "authentication fail"


def test_failures_that_end_in_a_stop_become_an_outage() -> None:
    story = tell("0 fail authentication fail\n5 fail authentication fail\n100 stop phase2 hard expiry", until=300)
    assert story.told == [
        "15 opened negotiation_failing warning",
        "130 resolved negotiation_failing warning",
        "130 opened tunnel_down major",
    ]


def test_a_stop_while_failing_that_comes_back_stays_failing() -> None:
    story = tell("0 fail authentication fail\n5 fail authentication fail\n100 stop dpd timeout\n104 start")
    assert story.told == ["15 opened negotiation_failing warning", "109 resolved negotiation_failing warning"]


def test_a_failure_without_address_joins_the_stop_on_its_interface() -> None:
    story = tell(
        """
        0  stop dpd timeout interface=GE1 policy_seq=10
        1  stop dpd timeout interface=GE2 policy_seq=10 peer=2.1.1.2
        5  fail authentication fail peer=none interface=GE2 policy_seq=10
        """
    )
    causes = {i.peer: i.cause.name for i in story.correlator.open_incidents() if i.cause}
    assert causes == {"2.1.1.1": "dpd timeout", "2.1.1.2": "authentication fail"}


def test_a_failure_without_address_and_without_a_match_is_a_matter_of_its_interface() -> None:
    story = tell(
        "0 fail authentication fail peer=none interface=GE1\n9 fail authentication fail peer=none interface=GE1"
    )
    assert story.told == ["15 opened negotiation_failing major"]
    assert (story.last.peer, story.last.interface) == (None, "GE1")
    assert "an unnamed peer on GE1" in story.last.summary


def test_after_a_restart_a_failure_without_address_still_finds_its_stop() -> None:
    lines = "0 stop dpd timeout interface=GE1 policy_seq=10\n5 fail authentication fail peer=none interface=GE1"
    story = tell(lines, restarts=(1,))
    assert story.last.cause is not None
    assert (story.last.peer, story.last.cause.name) == ("2.1.1.1", "authentication fail")


def test_a_stranger_is_never_graver_than_a_warning_unless_the_inventory_names_it() -> None:
    failing = "0 fail max transmit reached\n5 fail max transmit reached\n60 fail authentication fail"
    stranger = tell(failing)
    assert stranger.told == ["15 opened negotiation_failing warning", "60 updated negotiation_failing warning"]
    assert stranger.last.title.startswith("unknown peer 2.1.1.1 cannot negotiate with FW1")
    assert tell(failing, known=KNOWN).last.severity == "major"


def test_strangers_at_the_same_time_are_one_incident_from_the_first() -> None:
    text = "\n".join(f"{n + again} fail authentication fail peer=10.0.0.{n}" for again in (0, 5) for n in range(3))
    story = tell(text, until=8000)
    assert [line.split()[1:] for line in story.told] == [
        ["opened", "negotiation_failing", "warning"],
        ["resolved", "negotiation_failing", "warning"],
    ]
    parent = story.last
    assert len(parent.children) == 3
    assert "unnamed peer" not in parent.summary
    assert "3 unknown peers" in parent.summary


def test_two_strangers_are_named_at_the_end_too() -> None:
    text = "\n".join(f"{n + again} fail authentication fail peer=10.0.0.{n}" for again in (0, 5) for n in range(2))
    assert "2 unknown peers (10.0.0.0, 10.0.0.1)" in tell(text, until=8000).last.summary
