"""Labels, annotations, fingerprints and the life of an alert."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import T0, make_incident, make_resolved

from eventd.model import INCIDENT_KINDS, SEVERITIES, utc
from eventd.notify.alert import ALERTNAMES, MAX_LABEL, alerts, annotations, fingerprint, labels

UNTIL = utc(T0 + 240)


def test_every_kind_of_incident_has_an_alert_name() -> None:
    assert set(ALERTNAMES) == set(INCIDENT_KINDS)
    assert len(set(ALERTNAMES.values())) == len(INCIDENT_KINDS)


def test_labels_are_identity_and_empty_ones_are_left_out() -> None:
    assert labels(make_incident(site=None, vsys="")) == {
        "alertname": "IPsecTunnelDown",
        "severity": "major",
        "device": "FW1",
        "peer": "203.0.113.7",
        "interface": "GigabitEthernet0/0/1",
        "incident": "a1b2c3d4e5f6",
    }


def test_labels_stay_while_everything_that_may_move_moves() -> None:
    moved = make_incident(
        updated_at=utc(T0 + 99), count=7, acked_by="ann", chain=("x",), cause=None, summary="other", late_s=99.0
    )
    assert labels(moved) == labels(make_incident())
    assert annotations(moved) != annotations(make_incident())


def test_annotations_tell_what_moves() -> None:
    told = annotations(make_incident(runbook_url="https://wiki/x", severity="critical"))
    assert told == {
        "summary": "Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout",
        "description": "No answer.",
        "reason": "dpd timeout",
        "category": "peer-unreachable",
        "actions": "1. ping 203.0.113.7 from FW1\n2. display ike sa remote 203.0.113.7",
        "chain": "22:13:00 tunnel stopped: dpd timeout\n22:13:15 no start within 15 s",
        "runbook_url": "https://wiki/x",
        "current_severity": "critical",
    }


def test_a_reason_code_is_told_even_when_it_is_zero() -> None:
    cause = msgspec.structs.replace(make_incident().cause, code=0)  # type: ignore[type-var]
    assert annotations(make_incident(cause=cause))["reason_code"] == "0"


def test_an_open_incident_fires_until_the_time_given() -> None:
    (alert,) = alerts(make_incident(), UNTIL)
    assert (alert.starts_at, alert.ends_at) == (utc(T0 - 20), UNTIL)


def test_a_resolved_incident_ends_when_it_was_resolved() -> None:
    (alert,) = alerts(make_resolved(), UNTIL)
    assert alert.ends_at == utc(T0 + 180)


def test_an_end_before_the_start_is_moved_to_the_start() -> None:
    (alert,) = alerts(make_resolved(resolved_at=utc(T0 - 99)), UNTIL)
    assert alert.ends_at == alert.starts_at


def test_when_the_severity_rises_the_old_alerts_end_and_a_new_one_fires() -> None:
    risen = alerts(make_incident(opened_severity="warning", severity="critical"), UNTIL)
    assert [(alert.labels["severity"], alert.ends_at) for alert in risen] == [
        ("critical", UNTIL),
        ("major", utc(T0)),
        ("warning", utc(T0)),
    ]


def test_when_a_risen_incident_is_over_all_its_alerts_are() -> None:
    over = alerts(make_resolved(opened_severity="warning", severity="critical"), UNTIL)
    assert {(alert.labels["severity"], alert.ends_at) for alert in over} == {
        (severity, utc(T0 + 180)) for severity in ("critical", "major", "warning")
    }


def test_a_severity_that_falls_again_leaves_the_label_as_it_is() -> None:
    life = {"opened_severity": "warning", "severity": "major", "worst_severity": "critical"}
    shown = alerts(make_incident(**life), UNTIL)
    assert [alert.labels["severity"] for alert in shown if alert.ends_at == UNTIL] == ["critical"]
    assert shown[0].annotations["current_severity"] == "major"
    over = alerts(make_resolved(**life), UNTIL)
    assert {alert.labels["severity"] for alert in over} == {"critical", "major", "warning"}


@given(st.sampled_from(SEVERITIES), st.sampled_from(SEVERITIES))
def test_one_alert_fires_and_never_under_a_lower_label_than_opened(opened: str, now: str) -> None:
    shown = alerts(make_incident(opened_severity=opened, severity=now), UNTIL)
    firing = [alert.labels["severity"] for alert in shown if alert.ends_at == UNTIL]
    assert firing == [max(opened, now, key=SEVERITIES.index)]


@given(st.text(max_size=600))
def test_any_text_makes_labels_and_annotations_that_can_be_sent(text: str) -> None:
    incident = make_incident(device=text, site=text, summary=text, chain=(text,), actions=(text,))
    (alert,) = alerts(incident, UNTIL)
    msgspec.json.encode(alert)
    assert all(0 < len(value) <= MAX_LABEL for value in alert.labels.values())


@pytest.mark.parametrize(
    ("label_set", "expected"),
    [({}, "cbf29ce484222325"), ({"alertname": "x", "b": "é"}, None)],
)
def test_the_fingerprint_of_nothing_is_the_fnv_offset(label_set: dict[str, str], expected: str | None) -> None:
    found = fingerprint(label_set)
    assert len(found) == 16
    assert expected in (None, found)


def test_the_summary_is_a_headline_and_the_description_the_whole_story() -> None:
    title, long = "branch-7 down on FW1: dpd timeout", "FW1: it is down. " + "Very long. " * 30
    told = annotations(make_incident(title=title, summary=long))
    assert (told["summary"], told["description"]) == (title, long.strip())
    recalled = annotations(make_incident(title=title, summary=long, news="STILL DOWN for 4 h"))
    assert recalled["summary"] == f"STILL DOWN for 4 h: {title}"
    assert len(annotations(make_incident(summary=long))["summary"]) <= 250
    whole = f"{'x' * 120}: dpd timeout, since 14:19 UTC"
    assert annotations(make_incident(title=whole))["summary"] == whole
