"""From a notification to text."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from notify_fakes import T0, make_incident, make_notification, make_resolved

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, utc
from eventd.notify import webhook
from eventd.notify.markup import BARE, CUT, Markup, clean, cut, short
from eventd.notify.render import MAX_HEADLINE, digest_view, duration_text, headline, plain, state, title
from eventd.notify.template import MAX_RENDERED, Renderer, own_template
from eventd.notify.words import words


@given(st.text())
def test_clean_text_is_one_printable_line(text: str) -> None:
    found = clean(text)
    assert len(found.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in found} & {"Cc", "Cs", "Zl", "Zp"}
    assert clean(found) == found


@pytest.mark.parametrize("bad", ["\u202e", "\u2066", "\u200b", "\ufeff", "\x1b", "\x9b", "\u2028", "\ud800"])
def test_what_changes_direction_or_cannot_be_seen_is_gone(bad: str) -> None:
    assert clean(f"a{bad}b") == "a b"


@given(st.text(), st.integers(6, 100))
def test_a_cut_is_marked_and_within_the_limit(text: str, limit: int) -> None:
    found = cut(text, limit)
    assert len(found) <= limit
    assert found == text or found.endswith(CUT)


@given(st.text(max_size=300), st.integers(6, 60))
def test_short_text_never_hides_that_something_is_missing(text: str, limit: int) -> None:
    found = short(text, limit)
    assert len(found) <= limit
    assert found == clean(text) or CUT in found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (-5, "0s"), (59.6, "1m"), (200, "3m 20s"), (3600, "1h"), (7500, "2h 5m"), (273_600, "3d 4h")],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_state_says_whether_it_is_news() -> None:
    assert state(make_notification()) == "MAJOR"
    assert state(make_notification(what="updated")) == "UPDATE MAJOR"
    assert state(make_notification(incident=make_resolved())) == "RESOLVED"


@given(st.text(min_size=1), st.text())
def test_the_plain_text_never_fails(device: str, summary: str) -> None:
    incident = make_incident(device=device, summary=summary, cause=None, peer=None, url="https://e.example/i/1")
    text = plain(make_notification(incident=incident))
    assert len(text.split("\n")) == 8


@pytest.mark.parametrize(("language", "heading"), [("en", "Next steps:"), ("zh", "处理步骤：")])
def test_the_plain_text_says_where_to_look_and_what_to_do_first(language: str, heading: str) -> None:
    steps = tuple(f"`ping {'9' * 40 * n}`" for n in range(1, 7))
    told = make_notification(incident=make_incident(actions=steps, url="https://e.example/i/1"))
    *_, incident, link, head, first, second, third, fourth = (
        plain(told, words(language)).replace("\n4. ", "\n\n4. ") + "\n"
    ).split("\n")
    assert (incident[-12:], link, head) == ("a1b2c3d4e5f6", "https://e.example/i/1", heading)
    assert (first, second) == (f"1. {steps[0]}", f"2. {steps[1]}")
    assert (third[:9], fourth) == ("3. `ping ", "")
    short_of = make_notification(incident=make_incident(actions=("x" * 400,)))
    assert plain(short_of).endswith("x…")
    assert heading not in plain(make_notification(incident=make_resolved()), words(language))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai"])
def test_a_title_with_news_keeps_since_when_it_is_and_whole_words(language: str, zone: str) -> None:
    hub = "HUB-A" if language == "en" else f"HUB-{'A' * 50}"  # Chinese takes less room
    stands = f"{hub} lost 23 peers on GigabitEthernet0/0/1, 22 still missing: 21 dpd timeout, 1 peer request"
    about = make_incident(title=f"{stands}, since 22:13 UTC", news="STILL OPEN for 3 min")
    told = make_notification(what="updated", incident=about)
    say = words(language, time_zone=zone)
    shown = headline(told.incident, say)
    assert len(shown) <= MAX_HEADLINE, "with its zone"
    assert re.search(r"(1|timeout|dpd|断|中)…[,，] ?(since|始于) \d\d:13 (UTC|\+08:00)$", shown), shown
    long = make_notification(what="updated", incident=make_incident(title="x" * 300, news="y" * 300))
    assert headline(long.incident, say).endswith("y…")


@pytest.mark.parametrize(("language", "device"), [("en", "Device FW1"), ("zh", "设备 FW1")])
def test_the_plain_text_says_nothing_of_what_it_does_not_know(language: str, device: str) -> None:
    told = make_notification(incident=make_incident(peer=None, peer_name=None, cause=None))
    lines = plain(told, words(language)).split("\n")
    assert lines[1] == device
    assert not any(line.endswith(" -") or " - " in line for line in lines)


def test_where_a_link_is_text_and_address_the_same_is_not_said_twice() -> None:
    told = make_notification(incident=make_incident(runbook_url="https://wiki.example/7"))
    assert "Runbook: https://wiki.example/7\n" in Renderer(own_template("message.j2"))(told)
    assert BARE.link("a1", "https://e.example/i/a1") == "a1 https://e.example/i/a1"


@pytest.mark.parametrize(
    "source",
    [
        "{{ incident.cause.code + 1 }}",
        "{{ incident.nothing }}",
        "{{ nothing }}",
        "{{ ''.__class__.__mro__ }}",
        "{% for x in range(10**9) %}{% endfor %}",
        "{{ range(10**9) | sum }}",
        "{{ incident.peer.foo() }}",
    ],
)
def test_whatever_goes_wrong_in_a_template_is_a_render_failure(source: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        Renderer(source)(make_notification())
    assert (caught.value.reason, caught.value.retryable) == (DeliveryFailure.RENDER, False)


@pytest.mark.parametrize("source", ["{% include 'other.j2' %}", "{% extends 'other.j2' %}", "{% import 'x' as y %}"])
def test_a_template_that_wants_another_file_is_told_that_there_is_none(source: str) -> None:
    with pytest.raises(DeliveryError, match="a layout is one file"):
        Renderer(source)(make_notification())


def test_every_value_is_escaped_and_the_layout_is_not() -> None:
    renderer = Renderer("<b>{{ incident.device }}</b>", Markup(lambda text: text.replace("<", "&lt;")))
    assert renderer(make_notification(incident=make_incident(device="<i>\n"))) == "<b>&lt;i></b>"


def with_values_marked(source: str) -> str:
    """What a template makes of an incident at the device ``@here``; what was escaped stands in angle brackets."""
    return Renderer(source, Markup("<{}>".format))(make_notification(incident=make_incident(device="@here")))


@pytest.mark.parametrize(
    "source",
    [
        "{% for c in incident.device %}{% filter trim | lower %}{{ c }}{% endfilter %}{% endfor %}",
        "{% filter trim %}{% for c in '@here' %}{% filter trim %}{{ c }}{% endfilter %}{% endfor %}{% endfilter %}",
        "{% for c in incident.device %}{% set x %}{{ c }}{% endset %}{{ x }}{% endfor %}",
        "{% macro m(c) %}{{ c }}{% endmacro %}{% for c in incident.device %}{{ m(c) }}{% endfor %}",
        "{% macro m() %}{{ caller() }}{% endmacro %}{% for c in '@here' %}{% call m() %}{{c}}{% endcall %}{% endfor %}",
        "{% autoescape true %}{{ incident.device }}{% endautoescape %}",
        "{% autoescape true %}{% filter lower %}{{ incident.device }}{% endfilter %}{% endautoescape %}",
    ],
)
def test_what_a_block_makes_of_values_alone_is_escaped_as_one(source: str) -> None:
    assert with_values_marked(source) == "<@here>"


@pytest.mark.parametrize(
    "source",
    [
        "{% filter default(incident.device, true) %}{% endfilter %}",
        "{% filter upper | replace('X', incident.device) | trim %}x{% endfilter %}",
        "{% filter replace(old='x', new=incident.device) %}x{% endfilter %}",
        "{% set args = ['x', incident.device] %}{% filter replace(*args) %}x{% endfilter %}",
    ],
)
def test_a_value_that_a_filter_block_is_given_is_escaped(source: str) -> None:
    assert with_values_marked(source) == "<@here>"


def test_text_of_the_template_in_a_filter_block_stays_as_it_is() -> None:
    told = make_notification(incident=make_incident(device="fw1"))
    source = "{% filter upper %}*a {{ incident.device }}*\n b{% endfilter %} c"
    assert Renderer(source, Markup("<{}>".format))(told) == "*A <FW1>*\n B c"


def test_a_runaway_template_is_cut() -> None:
    text = Renderer("{% for n in range(9999) %}{{ incident.chain }}{% endfor %}")(make_notification())
    assert len(text) == MAX_RENDERED
    assert text.endswith(CUT)


def test_an_update_to_somebody_who_has_heard_nothing_is_no_update() -> None:
    assert state(make_notification(what="updated", first=True)) == "MAJOR"


def test_who_has_heard_nothing_is_told_no_news_of_it() -> None:
    told = make_notification(incident=make_incident(news="11 in all, 6 before"), first=True)
    assert title(told).startswith("MAJOR 11 in all"), "an opening may have a reason of its own"
    late = replace(told, untold_since=utc(T0 - 60))
    assert title(late).startswith("MAJOR Tunnel to branch-7")
    assert webhook.payload(late)["alerts"][0]["annotations"]["summary"].startswith("Tunnel to branch-7")


def test_an_escalation_says_how_long_nobody_has_taken_it() -> None:
    told = make_notification(escalates=True, due_at=utc(T0 + 900), created_at=utc(T0))
    assert title(told).startswith("MAJOR, not acknowledged for 15m: Tunnel to branch-7")


def test_a_line_of_a_digest_says_how_it_stands_and_not_what_was_new_once() -> None:
    old = make_notification(incident=make_incident(news="STILL DOWN for 4 h"), created_at=utc(T0))
    lines = [plain(Digest("d", "ops", "storm", (old,), utc(at))).splitlines()[2] for at in (T0, T0 + 600)]
    assert lines[0].startswith("MAJOR STILL DOWN for 4 h: Tunnel to branch-7")
    assert "STILL" not in lines[1]
    assert "since 2023" not in lines[0]
    assert "since 2023-11-14" in lines[1]


LASTED = "b1 up again on FW1 after 3 min 20 s"


@pytest.mark.parametrize(
    ("title", "hours", "width", "language", "when"),
    [
        ("b1 down on FW1, since 22:13 UTC", 1, 80, "en", ""),
        ("b1 down on FW1, since 22:13 UTC", 24, 80, "en", "2023-11-14"),
        ("b1 down on FW1, since 22:13 UTC", 1, 80, "zh", ""),
        ("b1 down on FW1, since 22:13 UTC", 24, 80, "zh", "2023-11-15"),
        ("b1 down on FW1, since 14 Nov 22:13 UTC", 24, 80, "en", ""),
        ("b1 down on FW1, since 14 Nov 22:13 UTC", 24, 80, "zh", ""),
        ("b1 down on FW1, since 22:13 UTC", 1, 20, "en", "since 2023-11-14 22:13:00 UTC"),
        ("b1 is somehow down", 1, 80, "zh", "始于 2023-11-15 06:13:00 +08:00"),
        (LASTED, 1, 80, "en", "until 2023-11-14 22:16:20 UTC"),
        (LASTED, 1, 80, "zh", "至 2023-11-15 06:16:20 +08:00 恢复"),
        (LASTED, 1, 20, "en", "lasted 3m 20s, until 2023-11-14 22:16:20 UTC"),
    ],
)
def test_a_line_of_a_digest_tells_no_time_twice(title: str, hours: int, width: int, language: str, when: str) -> None:
    make = make_resolved if title == LASTED else make_incident
    told = make_notification(incident=make(title=title))
    say = words(language, time_zone="Asia/Shanghai" if language == "zh" else "UTC")
    [line] = digest_view(Digest("d", "ops", "late", (told,), utc(T0 + 3600 * hours)), say, width)["lines"]
    assert line.when == when


@pytest.mark.parametrize(("language", "about"), [("en", "site Lyon, since"), ("zh", "站点 Lyon，始于")])
def test_what_a_line_of_a_digest_adds_is_punctuated_as_the_language_is(language: str, about: str) -> None:
    told = make_notification(incident=make_incident(title="b1 is down", site="Lyon"))
    [line] = digest_view(Digest("d", "ops", "late", (told,), utc(T0 + 3600)), words(language))["lines"]
    assert line.about.startswith(about)
