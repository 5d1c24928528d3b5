"""What holds for all group robots: hostile text, limits to the octet, digests, keyword, calls, answers."""

import html
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import msgspec
import pytest
from chat_server import ChatServer, answer
from hostile import TRIED, without_commands
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved

from eventd.errors import ConfigError, DeliveryError, DeliveryFailure
from eventd.model import Digest, Incident, Reason, Told, utc
from eventd.notify import dingtalk, feishu, robot, wecom
from eventd.notify.chat import WIDTHS
from eventd.notify.fit import octets
from eventd.notify.render import plain
from eventd.notify.robot import Robot, harmless
from eventd.notify.session import Answer, Session
from eventd.notify.words import Language

URL = "https://eventd.example/incidents/"


class Kind(NamedTuple):
    module: Any
    taken: str
    #: Text of a message, as a layout and as plain text.
    text: Callable[[Any], str]
    bare: Callable[[Any], str]
    #: What the service measures, and the most it takes: of a layout, of plain text.
    measure: Callable[[Any], int]
    most: tuple[int, int]


def request(message: Any) -> int:
    return len(msgspec.json.encode(message))


def content(message: Any) -> int:
    return octets(message[message["msgtype"]]["content"])


KINDS = {
    "feishu": Kind(
        feishu,
        '{"code":0,"msg":"success"}',
        lambda m: m["card"]["elements"][0]["text"]["content"],
        lambda m: m["content"]["text"],
        request,
        (20_000, 20_000),
    ),
    "dingtalk": Kind(
        dingtalk,
        '{"errcode":0,"errmsg":"ok"}',
        lambda m: m["markdown"]["text"],
        lambda m: m["text"]["content"],
        request,
        (20_000, 20_000),
    ),
    "wecom": Kind(
        wecom,
        '{"errcode":0,"errmsg":"ok"}',
        lambda m: m["markdown"]["content"],
        lambda m: m["text"]["content"],
        content,
        (4096, 2048),
    ),
}
GUARDED = ["feishu", "dingtalk"]
every = pytest.mark.parametrize("kind", KINDS)


def robot_of(kind: str, url: str = "http://127.0.0.1:9/x", **keys: Any) -> Any:
    module = KINDS[kind].module
    return module.NOTIFIER.build("ops", module.Settings(url=url, **keys), Session(clock=HandClock()))


def told_as(channel: Any, told: Told) -> Any:
    return channel.message(channel.card(told, channel.body(told)))


async def sent_plain(kind: str, told: Told, **keys: Any) -> Any:
    async with ChatServer() as server:
        server.always = answer(200, KINDS[kind].taken)
        channel = robot_of(kind, server.url + "/x", **keys)
        await channel.deliver_plain(told)
        await channel.session.close()
        return server.seen[0].json


# --- hostile text ---------------------------------------------------------------------------------------------------

ATTACKS = [
    '<at user_id="all">all</at>',
    "<at id=all></at>",
    "<@all>",
    "@all @13800000000 @所有人",
    "[pay](http://evil.example)",
    "![x](https://evil.example/x.png)",
    "](http://evil.example)",
    "[",
    "]",
    "(",
    "**",
    "*",
    "_",
    "__",
    "~~",
    "`",
    "```",
    "\\",
    "#",
    "> ",
    "<font color=red>",
    "&#60;at id=all&#62;",
    "&lt;",
    "&",
    ":OK:",
    "http://evil.example",
    "WWW.evil.example",
    '"}]}}',
    "{{ 7*7 }}",
    "\n# x",
    "\u2060",
    "\u202e",
    "告警",
    "😀",
    "a",
    " ",
]
hostile = st.lists(st.one_of(st.sampled_from(ATTACKS), st.text(max_size=6)), max_size=12).map("".join)


@st.composite
def hostile_incidents(draw: st.DrawFn) -> Incident:
    return make_incident(
        id="i-" + draw(st.text("abcdef0123456789", min_size=6, max_size=6)),
        severity=draw(st.sampled_from(["critical", "major", "info"])),
        device=draw(hostile),
        peer=draw(hostile),
        peer_name=draw(hostile),
        site=draw(hostile),
        interface=draw(hostile),
        vsys=draw(hostile),
        summary=draw(hostile),
        title=draw(hostile),
        cause=Reason(draw(hostile), meaning=draw(hostile)),
        chain=tuple(draw(st.lists(hostile, max_size=3))),
        actions=tuple(draw(st.lists(hostile | hostile.map("run `{}`, then".format), max_size=3))),
        url=draw(st.sampled_from([None, URL + "i-1"])),
        acked_by=draw(hostile),
    )


def dangers(kind: str, text: str) -> list[str]:
    """Whatever is left in a text that could act, once our own markup is taken off."""
    text = re.sub(rf"\[(?:i-)?[0-9a-f&#;-]+\]\({re.escape(URL)}[^()\s]*\)", "", text)
    text = re.sub(r'^<font color="[#\w]+">(.*?)</font>', r"\1", text)
    text = text.replace("**", "", 2 * (text.count("**") // 2))
    if kind == "wecom":
        text = without_commands(text, r"\1")
    if kind == "feishu":
        text = re.sub(r"&#\d+;", "·", text)
    found = re.findall(r"[<>*`~\\]|\]\(|\]\[|@(?!\u2060)|:(?=//)|www\.", text, re.IGNORECASE)
    return found + (re.findall(r"[&\[\]_$@]|:(?=[A-Za-z])", text) if kind == "feishu" else [])


@pytest.mark.conformance("RFC 5424 §8.2", "no text from the wire calls, links or marks up in a group chat")
@every
def test_nothing_from_the_wire_acts(kind: str) -> None:
    channel = robot_of(kind)

    @TRIED
    @given(hostile_incidents())
    def check(incident: Incident) -> None:
        one = make_notification(incident=incident)
        digest = Digest("d-1", "ops", "storm", (one,), utc(T0))
        for told in (one, digest):
            message = json.loads(msgspec.json.encode(told_as(channel, told)))
            assert dangers(kind, KINDS[kind].text(message)) == []
            assert KINDS[kind].measure(message) <= KINDS[kind].most[0]
            assert not re.search(r"[<>]|@(?!\u2060)|://", type(channel).harmless(plain(told)))

    check()


@given(hostile)
def test_in_lark_md_every_character_is_shown_as_it_is(text: str) -> None:
    assert html.unescape(feishu.escape(text)) == text


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("<@all> @13800000000", "＜@\u2060all＞ @\u206013800000000"),
        ("[x](http://e)", "［x］(:\u2060//e)".replace("(:", "(http:")),
        ("[TEST] nothing is wrong", "[TEST] nothing is wrong"),
        ("[TEST](http", "［TEST］(http"),
        ("ipsec_policy_1 _x_", "ipsec_policy_1 ＿x＿"),
        ("#1 *a* `b` ~c~ \\", "＃1 ∗a∗ 'b' ～c～ ＼"),
        ("www.evil", "www\u2060.evil"),
        ("&lt;b&gt; &#60; R&D; a & b;", "＆lt;b＆gt; ＆#60; R＆D; a & b;"),
        ("22:13:20 2001:db8::1", "22:13:20 2001:db8::1"),
    ],
)
def test_where_no_escape_is_documented_look_alikes_are_shown(wire: str, shown: str) -> None:
    assert harmless(wire) == shown


def test_an_address_does_not_end_its_link() -> None:
    assert robot.link("x", "https://e/a)(b <c>") == "[x](https://e/a%29%28b%20%3Cc%3E)"
    assert robot.address("https://[2001:db8::1]:8443/%20?a=b&c=d#e") == "https://[2001:db8::1]:8443/%20?a=b&c=d#e"


# --- limits ---------------------------------------------------------------------------------------------------------

TROUBLE = ["x", "é", "告", "😀", '"', "<", "*_[", "a\n"]


@every
@pytest.mark.parametrize("unit", TROUBLE)
async def test_the_fullest_message_is_taken(kind: str, unit: str) -> None:
    """Whatever fills it, and with keyword, calls and the longest title."""
    keys: dict[str, Any] = {"mention": ["9" * 64] * robot.MAX_MENTIONS}
    if kind in GUARDED:
        keys |= {"keyword": "😀" * robot.MAX_KEYWORD, "secret": "s"}
    big = unit * 20_000
    incident = make_incident(
        severity="critical", title=big, summary=big, device=big, chain=(big,) * 20, actions=(big,) * 20, url=URL + "x"
    )
    told = make_notification(incident=incident)
    channel = robot_of(kind, **keys)
    signed = {"timestamp": "1700000000", "sign": "x" * 44} if kind == "feishu" else {}
    message = told_as(channel, told) | signed
    assert KINDS[kind].most[0] / 2 < KINDS[kind].measure(message) <= KINDS[kind].most[0]
    plain = await sent_plain(kind, told, **keys)
    assert KINDS[kind].measure(plain) <= KINDS[kind].most[1]
    assert URL + "x" in KINDS[kind].bare(plain), "where to look is said however much is cut"


@every
@pytest.mark.parametrize("unit", ["x", "告", "<"])
def test_a_body_of_exactly_the_limit_is_kept_whole(kind: str, unit: str) -> None:
    channel, size = robot_of(kind), type(robot_of(kind)).size
    text = unit * (channel.limit // size(unit))
    text += "x" * (channel.limit - size(text))
    told = make_notification()
    channel._message = lambda _told: text
    assert channel.body(told) == text
    message = channel.message(channel.card(told, text))
    assert KINDS[kind].measure(message) <= KINDS[kind].most[0]
    text += "x"
    assert channel.body(told).endswith("…(cut)")


@every
@pytest.mark.parametrize("unit", ["x", "告警", "*", "[😀"])
@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("made", [make_incident, make_resolved])
def test_a_digest_of_as_many_as_it_says_names_every_incident(
    kind: str, unit: str, language: str, made: Callable[..., Incident]
) -> None:
    channel, far = robot_of(kind, language=language), "https://eventd.operations.example.net:8443/monitoring/incidents/"
    ids = [f"incident-20231114-{n:04}" for n in range(channel.digests)]
    told = tuple(
        make_notification(
            incident=made(id=one, url=far + one, title=unit * 200, severity="critical"),
            id=f"n-{one}",
            what="updated",
        )
        for one in ids
    )
    message = told_as(channel, Digest("d-1", "ops", "late", told, utc(T0)))
    text = KINDS[kind].text(message)
    assert all(f"[{one}]({far}{one})" in text for one in ids)
    assert KINDS[kind].measure(message) <= KINDS[kind].most[0]
    assert not text.endswith("…(cut)")
    assert WIDTHS[-1] >= 24, "what `digests` was reckoned with"


@every
@pytest.mark.parametrize("language", get_args(Language))
async def test_as_plain_text_it_names_every_incident_too(kind: str, language: str) -> None:
    count = robot_of(kind).digests
    ids = [f"a1b2c3d4e{n:03}" for n in range(count)]
    told = tuple(make_notification(incident=make_resolved(id=one, title="隧道" * 60), id=one) for one in ids)
    text = KINDS[kind].bare(await sent_plain(kind, Digest("d-1", "ops", "late", told, utc(T0)), language=language))
    assert [one for one in ids if one not in text] == []
    assert octets(text) <= KINDS[kind].most[1]


@every
def test_more_than_the_service_takes_cannot_be_configured(kind: str) -> None:
    module = KINDS[kind].module
    faults = module.Settings.faults({"url": "http://x/", "max_per_minute": module.PER_MINUTE + 1})
    assert [key for key, _ in faults] == ["max_per_minute"]
    assert robot_of(kind).pace.per_minute <= module.PER_MINUTE


# --- what makes them take it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", GUARDED)
async def test_the_keyword_is_in_every_message_once(kind: str) -> None:
    channel = robot_of(kind, keyword="告警")
    told = make_notification()
    digest = Digest("d-1", "ops", "storm", (told, make_notification(incident=make_resolved())), utc(T0))
    for one in (told, digest):
        assert json.dumps(told_as(channel, one), ensure_ascii=False).count("告警") == 1
    assert KINDS[kind].bare(await sent_plain(kind, told, keyword="告警")).count("告警") == 1
    mine = make_notification(incident=make_incident(title="告警 x"))
    assert KINDS[kind].bare(await sent_plain(kind, mine, keyword="告警")).count("告警") == 1


@every
async def test_people_are_called_when_something_critical_opens_and_only_then(kind: str) -> None:
    channel = robot_of(kind, mention=["13800000000", "wang"])
    critical = make_notification(incident=make_incident(severity="critical"))
    others = (
        make_notification(),
        make_notification(incident=make_incident(severity="critical"), what="updated"),
        make_notification(incident=make_resolved(severity="critical")),
        Digest("d-1", "ops", "storm", (make_notification(),), utc(T0)),
    )
    calling = (critical, Digest("d-2", "ops", "storm", (make_notification(), critical), utc(T0)))
    assert all("wang" in json.dumps(told_as(channel, told)) for told in calling)
    assert all("wang" not in json.dumps(told_as(channel, told)) for told in others)
    assert "wang" in KINDS[kind].bare(await sent_plain(kind, critical, mention=["wang"]))
    assert "wang" not in json.dumps(told_as(robot_of(kind), critical)), "off by default"


@every
@pytest.mark.parametrize("name", ["<at>", "a b", "@x", "", "x" * 65])
def test_a_mention_is_a_name_or_a_number(kind: str, name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"url": "http://x/", "mention": [name]}, KINDS[kind].module.Settings)


@every
def test_who_writes_a_mention_as_in_a_chat_is_told_how(kind: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="'@all' is no user id or telephone number; write all"):
        msgspec.convert({"url": "http://x/", "mention": ["@all"]}, KINDS[kind].module.Settings)


@pytest.mark.parametrize("kind", GUARDED)
def test_a_secret_that_cannot_be_read_is_a_configuration_error(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"channels\.ops\.secret_file: nowhere cannot be read"):
        robot_of(kind, secret_file="nowhere")
    faults = KINDS[kind].module.Settings.faults({"url": "http://x/", "secret": "a", "secret_env": "B"})
    assert [key for key, _ in faults] == ["secret"]


# --- answers --------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (200, "", DeliveryFailure.SERVER_ERROR, True),
        (200, "ok", DeliveryFailure.SERVER_ERROR, True),
        (200, "<html>log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (200, "[0]", DeliveryFailure.SERVER_ERROR, True),
        (200, "{}", DeliveryFailure.SERVER_ERROR, True),
        (200, '{"code":null,"errcode":null}', DeliveryFailure.SERVER_ERROR, True),
        (200, '{"code":false,"errcode":false}', DeliveryFailure.SERVER_ERROR, True),
        (200, '{"code":"0","errcode":"0"}', DeliveryFailure.SERVER_ERROR, True),
        (200, '{"code":123456789,"errcode":123456789}', DeliveryFailure.SERVER_ERROR, True),
        (400, '{"code":123456789,"errcode":123456789}', DeliveryFailure.REFUSED, False),
        (502, '{"code":0,"errcode":0}', DeliveryFailure.SERVER_ERROR, True),
        (403, '{"code":0,"errcode":0}', DeliveryFailure.REFUSED, True),
    ],
)
def test_without_its_code_nothing_was_taken(
    kind: str, status: int, body: str, reason: DeliveryFailure, retryable: bool
) -> None:
    error = robot_of(kind).judge(Answer(status, body))
    assert error is not None
    assert (error.reason, error.retryable) == (reason, retryable)


@every
async def test_a_layout_that_is_refused_is_told_as_plain_text(kind: str) -> None:
    refusal = {"feishu": '{"code":11246,"msg":"bad card"}'}.get(kind, '{"errcode":40035,"errmsg":"bad"}')
    async with ChatServer() as server:
        server.then(answer(200, refusal), answer(200, KINDS[kind].taken))
        channel = robot_of(kind, server.url + "/x")
        with pytest.raises(DeliveryError, match="render"):
            await channel.deliver(make_notification())
        await channel.deliver_plain(make_notification())
        await channel.session.close()
    text = KINDS[kind].bare(server.seen[1].json)
    assert "branch-7" in text
    assert "**" not in text
    assert isinstance(channel, Robot)
