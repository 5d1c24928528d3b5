"""Whatever a record says, a handler answers with an event or with `DecodeError`, and the answer can be printed."""

import contextlib
import time
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.contract import Handler, Origin
from eventd.errors import DecodeError
from eventd.model import Event, Syntax, SyslogRecord, TrapRecord, VarBind, to_json
from eventd.registry import load
from handlers._common.values import BLANK, CONVERTERS
from handlers._common.varbinds import text_of
from handlers.huawei._fields import AFTER_FLOW, WIRE_KEYS, fields_of, typed
from handlers.huawei._layouts import HEAD, MAX_LAYOUTS, MAX_TEXT, Layouts
from handlers.huawei._tables import NOTIFICATIONS, OBJECTS
from handlers.huawei._varbinds import typed as varbinds_typed

HANDLERS = load(("handlers.huawei",)).handlers
ORIGIN = Origin("syslog-udp", "192.0.2.1", datetime(2026, 11, 21, 4, tzinfo=UTC), "FW1")
MNEMONICS = [(handler, mnemonic) for handler in HANDLERS for mnemonic in handler.mnemonics]
OIDS = [(handler, oid) for handler in HANDLERS for oid in handler.oids]

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
plain = st.text("abcXYZ019 ./:()'", max_size=30)
keys = st.sampled_from([*WIRE_KEYS, "FlowInfo", "State", "Status", "Command", "Result", "Unknown", "nbma-address"])
values = st.one_of(
    words, plain, st.ip_addresses().map(str), st.integers().map(str), plain.map(lambda text: f'"{text}"')
)
bodies = st.lists(st.tuples(keys, values).map("=".join), max_size=8).map(", ".join)
heads = st.one_of(
    words,
    st.sampled_from(
        [
            "IPSec tunnel negotiation fails. ",
            "[192.0.2.1] IPSec tunnel negotiation fails. ",
            "The link status of IPsec SLA detection change to down. ",
            "Interface GE0/0/1 has turned into DOWN state. ",
        ]
    ),
)
texts = st.one_of(words, st.builds("{}({}".format, heads, bodies), st.builds("{}({})".format, heads, bodies))

syslogs = st.builds(
    lambda claim, text, suffix, ids: (
        claim[0],
        SyslogRecord(
            raw=text.encode(), text=text, form="C", level=4, mnemonic=claim[1], suffix=suffix, ids=ids, oid="1.3.6.1"
        ),
    ),
    st.sampled_from(MNEMONICS),
    texts,
    st.sampled_from([None, "active", "clear"]),
    st.dictionaries(st.sampled_from(["slot", "Slot", "Vcpu", "CID", "VS", "OID"]), words, max_size=3),
)

instances = st.one_of(
    st.sampled_from(["", ".0", ".1", ".12.10.83", ".4294967295.4294967295.1", ".99999999999999.1.1"]),
    st.lists(st.integers(0, 300), max_size=12).map(lambda ids: "".join(f".{sub}" for sub in ids)),
)
octets = st.one_of(st.binary(max_size=40), st.ip_addresses().map(lambda ip: ip.packed), values.map(str.encode))
contents = st.one_of(
    st.tuples(st.sampled_from([Syntax.INTEGER, Syntax.GAUGE32]), st.integers(-(2**31), 2**64 - 1)),
    st.tuples(st.just(Syntax.OCTET_STRING), octets),
    st.tuples(st.just(Syntax.IP_ADDRESS), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just(Syntax.OBJECT_IDENTIFIER), st.just("1.3.6.1")),
    st.tuples(st.just(Syntax.NO_SUCH_INSTANCE), st.none()),
)
varbinds = st.builds(
    lambda oid, instance, content: VarBind(oid + instance, *content),
    st.one_of(st.sampled_from(sorted(OBJECTS)), st.just("1.3.6.1.4.1.32473.1")),
    instances,
    contents,
)
traps = st.builds(
    lambda claim, binds: (claim[0], TrapRecord(b"\x30", "v2c", claim[1], (claim[1],), tuple(binds))),
    st.sampled_from(OIDS),
    st.lists(varbinds, max_size=16),
)


def check(event: Event) -> None:
    assert to_json(event)
    for address in (event.peer, event.local, event.inside):
        assert address is None or str(ip_address(address)) == address
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in event.extra.items())
    if event.severity != "info":
        assert event.extra.get("state") != "clear"


@given(syslogs)
def test_any_syslog_record_gives_an_event_or_decode_error(claimed: tuple[Handler, SyslogRecord]) -> None:
    handler, record = claimed
    assert handler.decode_syslog is not None
    with contextlib.suppress(DecodeError):
        check(handler.decode_syslog(record, ORIGIN))


@given(traps)
def test_any_notification_gives_an_event_or_decode_error(claimed: tuple[Handler, TrapRecord]) -> None:
    handler, record = claimed
    assert handler.decode_trap is not None
    try:
        event = handler.decode_trap(record, ORIGIN)
    except DecodeError:
        return
    check(event)
    assert event.header.oid in NOTIFICATIONS


@given(
    st.dictionaries(st.sampled_from(["Alpha", "be-ta", "GAM.MA", "delta"]), st.text("ab c/'0", max_size=9), min_size=1)
)
def test_what_is_written_in_any_style_is_read_back(fields: dict[str, str]) -> None:
    expected = {key: value.strip() for key, value in fields.items()}
    for style in ("{}={}", '{}="{}"', "{}=[{}]"):
        text = f"Text. ({', '.join(style.format(*pair) for pair in fields.items())})"
        assert {key: value.strip() for key, value in fields_of(text)[1]} == expected


plainly = st.one_of(st.sampled_from(["", "-", "12", "203.0.113.7", "any"]), st.text("ab 1.-:/=\u2009", max_size=9))
styled = st.tuples(keys, st.sampled_from(["{}", '"{}"', "[{}]", "{} "]), plainly, st.one_of(plainly, values))


@given(
    st.lists(styled, min_size=1, max_size=12),
    st.sampled_from(["=", " = ", "=  "]),
    st.sampled_from([",", ", "]),
    st.sampled_from(
        ["Text. ({})", "(DstIP (DstIP ({})", f"(a) {'b' * HEAD}({{}})", "a=b ({}).", "({}) x", "({}", "({}) (", "({}))"]
    ),
)
def test_a_layout_met_before_is_read_as_for_the_first_time(
    fields: list[tuple[str, str, str, str]], sign: str, comma: str, around: str
) -> None:
    layouts = Layouts(WIRE_KEYS)
    first, other = (
        around.format(comma.join(f"{key}{sign}{style.format(both[place])}" for key, style, *both in fields))
        for place in (0, 1)
    )
    for text in (first, other):
        _, read, cut = fields_of(text)
        known, extra = typed(read)
        layouts.learn(first)
        assert layouts.read(text) in (None, (known, extra | cut))


def test_a_plain_layout_is_learned_and_their_number_is_bounded() -> None:
    layouts = Layouts(WIRE_KEYS)
    for number in range(2 * MAX_LAYOUTS):
        layouts.learn(f'Text {number}. (DstIP=203.0.113.7, Reason="dpd timeout", Role=[initiator], N=1)')
    text = 'Text 1. (DstIP=203.0.113.9, Reason="peer request", Role=[-], N= 2)'
    assert layouts.read(text) == ({"peer": "203.0.113.9", "reason": "peer request"}, {"N": "2"})
    assert layouts.read(text.replace("203.0.113.9", "any")) is None
    assert layouts.read(text.replace("Text 1", f"Text {MAX_LAYOUTS}")) is None


def test_who_is_named_in_front_takes_no_room() -> None:
    layouts = Layouts(WIRE_KEYS)
    line = "[192.0.2.{0}] IPSec tunnel negotiation fails. (IfIndex=[{0}], Reason=[version mismatch])"
    for number in range(2 * MAX_LAYOUTS):
        layouts.learn(line.format(number))
    assert layouts.read(line.format(200)) == ({"ifindex": 200, "reason": "version mismatch"}, {})
    layouts.learn("Text. (DstIP=203.0.113.7)")
    assert layouts.read("Text. (DstIP=203.0.113.9)") == ({"peer": "203.0.113.9"}, {})


@pytest.mark.parametrize("text", ["{0}", "{0}a", "a{0}={0}a", "{0}a{0}={0}a{0}"])
def test_learning_takes_no_longer_than_the_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.huawei._layouts.MAX_TEXT", 100 * MAX_TEXT)
    layouts = Layouts(WIRE_KEYS)
    begun = time.process_time()
    layouts.learn(f"X. (K={text.format(' ' * 20 * MAX_TEXT)}(")
    layouts.learn(f"X. (K=,{text.format(' ' * 20 * MAX_TEXT)}(")
    assert time.process_time() - begun < 0.25


@given(st.lists(st.tuples(keys, words)))
def test_every_value_given_is_somewhere(fields: list[tuple[str, str]]) -> None:
    known, extra = typed(fields)
    assert set(known) <= set(CONVERTERS)
    for key, value in fields:
        if value.strip() not in ("", "-", "0.0.0.0", "::"):
            assert key in extra or WIRE_KEYS.get(key.lower()) in known


flow_keys = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,9}", fullmatch=True).filter(
    lambda key: key.lower() not in AFTER_FLOW
)
flow_parts = st.one_of(
    st.builds("{}={}".format, flow_keys, st.text("0123456789./ab", max_size=9)), st.text("0.1/ -", max_size=9)
)


@given(st.lists(flow_parts, min_size=1, max_size=5).map(", ".join))
def test_a_flow_stays_whole_whatever_is_in_it(flow: str) -> None:
    text = f"Text. (DstIP=203.0.113.7, FlowInfo={flow}, OfflineReason=dpd timeout, VsysName=Public)"
    fields = dict(fields_of(text)[1])
    assert fields["FlowInfo"].strip() == flow.strip()
    assert (fields["DstIP"], fields["OfflineReason"], len(fields)) == ("203.0.113.7", "dpd timeout", 4)


@given(st.binary(min_size=1, max_size=8), st.binary(max_size=8))
def test_names_in_a_row_index_are_read_back(owner: bytes, test: bytes) -> None:
    """RFC 2578 section 7.7: a text of variable length stands behind its length."""
    parts = [len(owner), *owner, len(test), *test]
    column = "1.3.6.1.4.1.2011.5.25.111.2.2.1.2"
    _, extra = varbinds_typed([VarBind(".".join([column, *map(str, parts)]), Syntax.OCTET_STRING, b"203.0.113.7")])
    assert extra.get("nqaAdminCtrlTestName", "") == kept(test)
    assert extra.get("nqaAdminCtrlOwnerIndex", "") == kept(owner)


def kept(octets: bytes) -> str:
    text = text_of(octets)
    return "" if text in BLANK else text
