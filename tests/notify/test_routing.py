"""Who is told of what."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import T0, make_incident, make_resolved

from eventd.matching import matches
from eventd.model import SEVERITIES, Change, Incident, Notification, utc
from eventd.notify import routing
from eventd.notify.routing import Quiet, Route, Routes, validate

ALL = ("chat", "pager", "am")
NO_QUIET = dict.fromkeys(ALL)
#: A Tuesday, 22:13 UTC.
TUESDAY = T0
HOUR = 3600.0


def routes(*tables: dict[str, Any]) -> list[Route]:
    return msgspec.convert(tables, list[Route])


def route(incident: Incident, table: list[Route], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(routing.route(incident, Routes(table), names, T0))


def notifications(change: Change, table: list[Route], channels: routing.Listeners, now: float) -> list[Notification]:
    return routing.notifications(change, Routes(table), channels, now)


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
            channels=tuple(data.draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=4))),
            match={"severity": data.draw(st.lists(st.sampled_from(SEVERITIES), min_size=1))},
            continue_=data.draw(st.booleans()),
        )
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    incident = make_incident(severity=now, opened_severity=opened)
    told = route(incident, table, ALL)
    assert len(set(told)) == len(told)
    assert told == route(incident, table, ALL)


def test_a_step_not_worth_telling_makes_no_notification() -> None:
    assert notifications(Change("updated", make_incident(), notify=False), [], NO_QUIET, T0) == []


def test_the_same_step_has_the_same_id_and_another_step_another() -> None:
    first = notifications(Change("opened", make_incident()), [], NO_QUIET, T0)
    again = notifications(Change("opened", make_incident()), [], NO_QUIET, T0 + 99)
    later = notifications(Change("updated", make_incident(updated_at=utc(T0 + 1))), [], NO_QUIET, T0)
    assert [n.id for n in first] == [n.id for n in again]
    assert len({n.id for n in (*first, *later)}) == 6
    assert [n.channel for n in first] == list(ALL)
    assert first[0].created_at == utc(T0)


def test_ids_are_the_same_in_every_run() -> None:
    assert (
        notifications(Change("opened", make_incident()), [], {"chat": None}, T0)[0].id
        == "8e7e39f61b03658794e71bcbe3a11fbc"
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


# --- later, or only at times ----------------------------------------------------------------------------------------


def told(change: Change, table: list[Route], now: float = T0, **quiet: Quiet) -> dict[str, float]:
    """Channels, with how many seconds later each is told."""
    found = notifications(change, table, NO_QUIET | quiet, now)
    return {one.channel: one.due_at.timestamp() - now if one.due_at else 0.0 for one in found}


def test_an_escalation_waits_and_is_taken_back_by_an_acknowledgement_that_nobody_is_told() -> None:
    table = routes({"channels": ["chat"], "continue": True}, {"channels": ["pager"], "after": 900})
    assert told(Change("opened", make_incident()), table) == {"chat": 0.0, "pager": 900.0}
    opened = notifications(Change("opened", make_incident()), table, NO_QUIET, T0)
    assert [one.escalates for one in opened] == [False, True]
    taken = make_incident(acked_by="ada")
    assert told(Change("updated", taken, notify=False, taken=True), table) == {"pager": 900.0}
    assert told(Change("updated", taken, notify=False), table) == {}


def test_that_an_outage_of_many_tells_it_goes_to_those_for_whom_it_waits() -> None:
    table = routes({"channels": ["chat"], "continue": True}, {"channels": ["pager"], "after": 900})
    joined = Change("updated", make_incident(parent="many"), notify=False, joined=True)
    assert told(joined, table) == {"pager": 900.0}
    assert all(one.joined for one in notifications(joined, table, NO_QUIET, T0))
    quiet = Quiet(when=("daily 22:00-07:00",))
    assert told(joined, table, TUESDAY, chat=quiet).keys() == {"chat", "pager"}


def test_a_channel_that_is_told_at_once_by_one_route_does_not_wait_for_another() -> None:
    table = routes(
        {"match": {"severity": "critical"}, "channels": ["pager"], "continue": True},
        {"channels": ["pager"], "after": 900},
    )
    grave = make_incident(severity="critical", opened_severity="critical")
    assert told(Change("opened", grave), table) == {"pager": 0.0}
    assert told(Change("opened", make_incident()), table) == {"pager": 900.0}


@pytest.mark.parametrize(
    ("when", "time_zone", "names"),
    [
        (["Tue 20:00-23:00"], "UTC", ("pager",)),
        (["Mon-Fri 08:00-18:00", "daily 22:00-06:00"], "UTC", ("pager",)),
        (["Mon-Fri 08:00-18:00"], "UTC", ("chat",)),
        (["Mon-Fri 08:00-18:00"], "America/Los_Angeles", ("pager",)),
        (["Sat 08:00-Tue 22:13"], "UTC", ("chat",)),
        (["Sat 08:00-Tue 22:14"], "UTC", ("pager",)),
    ],
)
def test_a_route_holds_in_its_windows(when: list[str], time_zone: str, names: tuple[str, ...]) -> None:
    table = routes({"channels": ["pager"], "when": when, "time_zone": time_zone}, {"channels": ["chat"]})
    incident = make_incident(opened_at=utc(TUESDAY), updated_at=utc(TUESDAY))
    assert tuple(told(Change("opened", incident), table, TUESDAY)) == names


def test_whoever_heard_of_the_beginning_in_a_window_hears_of_the_end_outside_of_it() -> None:
    table = routes({"channels": ["pager"], "when": ["Tue 22:00-22:30"]}, {"channels": ["chat"]})
    over = make_resolved(opened_at=utc(TUESDAY))
    assert tuple(told(Change("resolved", over), table, TUESDAY + 5 * HOUR)) == ("pager",)


def test_quiet_hours_hold_back_what_is_not_grave_until_they_end() -> None:
    quiet = Quiet(when=("daily 22:00-07:00",), below="critical")
    found = told(Change("opened", make_incident()), [], TUESDAY, chat=quiet)
    assert found["pager"] == 0.0
    assert (utc(TUESDAY + found["chat"]).hour, utc(TUESDAY + found["chat"]).minute) == (7, 0)
    (held,) = [n for n in notifications(Change("opened", make_incident()), [], {"chat": quiet}, TUESDAY) if n.held]
    assert not held.escalates
    grave = make_incident(severity="critical", opened_severity="critical")
    assert told(Change("opened", grave), [], TUESDAY, chat=quiet)["chat"] == 0.0
    assert told(Change("opened", make_incident()), [], TUESDAY + 10 * HOUR, chat=quiet)["chat"] == 0.0


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ({"when": ["Tuesday 1:00-2:00"]}, "when: "),
        ({"when": ["Tue 25:00-2:00"]}, "when: "),
        ({"when": ["Xyz 1:00-2:00"]}, "when: "),
        ({"when": ["Mon-Fri 8:00-Sat 18:00"]}, "when: "),
        ({"time_zone": "Mars/North"}, "time_zone: "),
    ],
)
def test_a_window_that_cannot_be_is_a_fault(table: dict[str, Any], what: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=what):
        routes({"channels": ["chat"], **table})


def test_a_new_channel_is_told_of_what_is_open_as_far_as_it_would_have_been() -> None:
    rows = routes(
        {"match": {"site": "Lyon"}, "channels": ["new", "chat"], "continue": True},
        {"channels": ["pager"], "after": 900.0},
    )
    table = Routes(rows)
    here, there = make_incident(id="i1"), make_incident(id="i2", site="Paris", acked_by="ann")
    opened = here.opened_at.timestamp()
    openings = [Change("opened", incident, first=True) for incident in (here, there)]
    channels = dict.fromkeys(("new", "chat", "pager"))

    def told(now: float, *new: str) -> list[tuple[str, str, float]]:
        before = routing.Audience(tuple(name for name in channels if name not in new), tuple(rows))
        found = list(routing.catching_up(openings, table, channels, before, now))
        assert all(one.catches_up and one.what == "opened" for one in found)
        return [(one.channel, one.incident.id, (one.due_at or one.created_at).timestamp()) for one in found]

    assert told(opened + 60) == []
    assert told(opened + 60, "new") == [("new", "i1", opened + 60)]
    assert told(opened + 60, "pager") == [("pager", "i1", opened + 900)], "ann has the other"
    assert told(opened + 1000, "pager") == [("pager", "i1", opened + 1000)]


@pytest.mark.parametrize(
    ("before", "names"),
    [
        ([], []),
        ([{"channels": ["chat"]}], []),
        ([{"match": {"severity": "critical"}, "channels": ["chat"]}], ["chat"]),
        ([{"channels": ["chat"], "after": 900.0}], []),
        ([{"match": {"site": "Paris"}, "channels": ["chat"]}, {"channels": ["mail"]}], ["chat"]),
    ],
)
def test_a_channel_that_further_routes_name_is_told_of_what_it_would_not_have_been(
    before: list[dict[str, Any]], names: list[str]
) -> None:
    after = routes({"match": {"site": "Lyon"}, "channels": ["chat"]}, {"channels": ["mail"]})
    openings, channels = [Change("opened", make_incident(), first=True)], dict.fromkeys(("chat", "mail"))
    audience = routing.Audience(tuple(channels), tuple(routes(*before)))
    kept = msgspec.json.decode(msgspec.json.encode(audience), type=routing.Audience)
    assert kept == audience
    found = routing.catching_up(openings, Routes(after), channels, kept, TUESDAY)
    assert [one.channel for one in found] == names
