"""Who is told of what."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import T0, make_incident, make_resolved

from eventd.model import SEVERITIES, Change, utc
from eventd.notify.routing import Route, matches, notifications, route, validate

ALL = ("chat", "pager", "am")


def routes(*tables: dict[str, Any]) -> list[Route]:
    return msgspec.convert(tables, list[Route])


def test_without_routes_everyone_is_told() -> None:
    assert route(make_incident(), [], ALL) == ALL


def test_with_routes_that_do_not_match_nobody_is_told() -> None:
    assert route(make_incident(), routes({"match": {"site": "Paris"}, "channels": ["chat"]}), ALL) == ()


def test_the_first_match_wins() -> None:
    table = routes({"match": {"site": "Lyon"}, "channels": ["pager"]}, {"channels": ["chat"]})
    assert route(make_incident(), table, ALL) == ("pager",)


def test_continue_goes_on_to_the_next_match_and_names_each_channel_once() -> None:
    table = routes(
        {"match": {"site": "Lyon"}, "channels": ["pager", "am"], "continue": True},
        {"match": {"site": "Paris"}, "channels": ["never"]},
        {"channels": ["am", "chat"]},
    )
    assert route(make_incident(), table, ALL) == ("pager", "am", "chat")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"severity": "major"}, True),
        ({"severity": ["critical", "major"]}, True),
        ({"severity": ["critical"]}, False),
        ({"device": "FW*"}, True),
        ({"device": "fw1"}, False),
        ({"peer": "branch-7"}, True),
        ({"peer": "203.0.113.7"}, True),
        ({"peer": "203.0.113.*", "site": "Lyon"}, True),
        ({"peer": "203.0.113.*", "site": "Paris"}, False),
        ({"category": "peer-unreachable"}, True),
        ({"kind": "tunnel_down", "status": "open"}, True),
        ({"status": "resolved"}, False),
        ({"tag": "vip"}, False),
    ],
)
def test_every_condition_must_hold_and_a_list_means_any(match: dict[str, Any], expected: bool) -> None:
    assert matches(match, make_incident()) is expected


def test_a_missing_field_matches_nothing_not_even_a_wildcard() -> None:
    assert not matches({"site": "*"}, make_incident(site=None))


def test_whoever_got_the_alarm_gets_the_all_clear_after_the_severity_rose() -> None:
    table = routes({"match": {"severity": "critical"}, "channels": ["pager"]}, {"channels": ["chat"]})
    opened = make_incident(severity="warning", opened_severity="warning")
    risen = make_incident(severity="critical", opened_severity="warning")
    over = make_resolved(severity="critical", opened_severity="warning")
    assert route(opened, table, ALL) == ("chat",)
    assert route(risen, table, ALL) == route(over, table, ALL) == ("chat", "pager")


@given(st.sampled_from(SEVERITIES), st.sampled_from(SEVERITIES), st.data())
def test_no_channel_is_named_twice_and_the_order_is_stable(opened: str, now: str, data: st.DataObject) -> None:
    table = [
        Route(
            tuple(data.draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=4))),
            {"severity": data.draw(st.lists(st.sampled_from(SEVERITIES), min_size=1))},
            data.draw(st.booleans()),
        )
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    incident = make_incident(severity=now, opened_severity=opened)
    told = route(incident, table, ALL)
    assert len(set(told)) == len(told)
    assert told == route(incident, table, ALL)


def test_a_step_not_worth_telling_makes_no_notification() -> None:
    assert notifications(Change("updated", make_incident(), notify=False), [], ALL, T0) == []


def test_the_same_step_has_the_same_id_and_another_step_another() -> None:
    first = notifications(Change("opened", make_incident()), [], ALL, T0)
    again = notifications(Change("opened", make_incident()), [], ALL, T0 + 99)
    later = notifications(Change("updated", make_incident(updated_at=utc(T0 + 1))), [], ALL, T0)
    assert [n.id for n in first] == [n.id for n in again]
    assert len({n.id for n in (*first, *later)}) == 6
    assert [n.channel for n in first] == list(ALL)
    assert first[0].created_at == utc(T0)


def test_ids_are_the_same_in_every_run() -> None:
    assert (
        notifications(Change("opened", make_incident()), [], ["chat"], T0)[0].id == "8e7e39f61b03658794e71bcbe3a11fbc"
    )


def test_routes_that_cannot_do_what_was_meant_are_named_all_at_once() -> None:
    table = routes(
        {"match": {"sevrity": "major", "severity": ["majro"]}, "channels": ["nobody"]},
        {"match": {"site": []}, "channels": []},
    )
    assert [problem.key for problem in validate(table, ALL)] == [
        "routes[0].channels",
        "routes[0].match.sevrity",
        "routes[0].match.severity",
        "routes[1].channels",
        "routes[1].match.site",
    ]


def test_good_routes_have_no_problems() -> None:
    assert validate(routes({"match": {"severity": ["m*"], "site": "x"}, "channels": ["am"]}), ALL) == []
