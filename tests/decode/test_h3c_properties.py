"""Whatever a record says, an H3C handler answers with an event or with `DecodeError`, and the answer can be printed."""

import contextlib
from datetime import UTC, datetime
from ipaddress import ip_address

from h3c_lines import ITEMS, OWN, PEER, SA, line
from huawei_lines import decode
from hypothesis import given
from hypothesis import strategies as st

from eventd.contract import Origin
from eventd.errors import DecodeError
from eventd.model import Event, Syntax, SyslogRecord, TrapRecord, VarBind, to_json
from eventd.registry import load
from handlers.h3c._fields import read_text
from handlers.h3c._tables import NOTIFICATIONS, OBJECTS

HANDLERS = load(("handlers.h3c",)).handlers
ORIGIN = Origin("syslog-udp", "192.0.2.1", datetime(2026, 11, 21, 4, tzinfo=UTC), "FW1")
MNEMONICS = {mnemonic: handler for handler in HANDLERS for mnemonic in handler.mnemonics}
OIDS = {oid: handler for handler in HANDLERS for oid in handler.oids}

words = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
values = st.one_of(words, st.ip_addresses().map(str), st.integers().map(str))
names = st.sampled_from(
    ["Reason", "Role", "Local IP", "Remote IP", "Remote port", "Sour addr", "Dest addr", "Tunnel ID", "X"]
)
separators = st.sampled_from(["\n", "\r\n", "#012", " - ", " ", ", "])
lists = st.lists(
    st.tuples(names, st.sampled_from([": ", ":", " is "]), values, separators).map("".join), max_size=8
).map("".join)
sentences = st.builds(
    "The IPsec SA was deleted for the reason of {}. The SA's source address is {}, destination address is {}{}".format,
    values,
    values,
    values,
    st.sampled_from(["", ".", ", protocol is ESP, and SPI is 7."]),
)
texts = st.one_of(words, lists, sentences, st.builds("{}{}".format, sentences, lists))
syslogs = st.builds(
    lambda mnemonic, text, suffix, ids: SyslogRecord(
        raw=text.encode(), text=text, form="comware", level=6, mnemonic=mnemonic, suffix=suffix, ids=ids
    ),
    st.sampled_from(sorted(MNEMONICS)),
    texts,
    st.sampled_from([None, "active", "clear"]),
    st.dictionaries(st.sampled_from(["DevIP", "Slot", "MDC", "serial"]), words, max_size=3),
)
instances = st.sampled_from(["", ".0", ".83", ".83.1", ".12.1.83", ".4294967295.1.1", ".99999999999999.1.1"])
octets = st.one_of(st.binary(max_size=40), st.ip_addresses().map(lambda ip: ip.packed))
contents = st.one_of(
    st.tuples(st.sampled_from([Syntax.INTEGER, Syntax.GAUGE32]), st.integers(-(2**31), 2**64 - 1)),
    st.tuples(st.just(Syntax.INTEGER), st.integers(0, 17)),
    st.tuples(
        st.just(Syntax.OCTET_STRING), st.one_of(st.binary(max_size=40), st.ip_addresses().map(lambda ip: ip.packed))
    ),
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
    lambda oid, binds: TrapRecord(b"\x30", "v2c", oid, (oid,), tuple(binds)),
    st.sampled_from(sorted(OIDS)),
    st.lists(varbinds, max_size=12),
)


ESTABLISHED = "Established IPsec SA. " + SA.format(src=OWN, dst=PEER, proto="ESP", spi=7)


def check(event: Event) -> None:
    assert to_json(event)
    for address in (event.peer, event.local, event.inside):
        assert address is None or str(ip_address(address)) == address
    assert all(isinstance(key, str) and isinstance(value, str) for key, value in event.extra.items())


@given(syslogs)
def test_any_syslog_record_gives_an_event_or_decode_error(record: SyslogRecord) -> None:
    decode_syslog = MNEMONICS[record.mnemonic or ""].decode_syslog
    assert decode_syslog is not None
    with contextlib.suppress(DecodeError):
        check(decode_syslog(record, ORIGIN))


@given(traps)
def test_any_notification_gives_an_event_or_decode_error(record: TrapRecord) -> None:
    decode_trap = OIDS[record.oid].decode_trap
    assert decode_trap is not None
    with contextlib.suppress(DecodeError):
        event = decode_trap(record, ORIGIN)
        check(event)
        assert event.header.oid in NOTIFICATIONS


@given(
    st.integers(0, 700),
    st.sampled_from([ITEMS, "Established IPsec SA. " + SA.format(src=OWN, dst=PEER, proto="ESP", spi=7)]),
)
def test_a_line_may_end_anywhere(end: int, text: str) -> None:
    decoded = decode(line("IPSEC/6/IPSEC_SA_ESTABLISH", text)[:end])
    assert to_json(decoded)
    if isinstance(decoded, Event) and text is not ITEMS:
        assert decoded.peer in (None, PEER)


@given(st.text(" :.-\n#012isLocalIPaddressource,;0", max_size=400))
def test_reading_a_text_never_fails_and_takes_no_long_time(text: str) -> None:
    known, extra, _ = read_text(text)
    assert isinstance(known, dict)
    assert isinstance(extra, dict)
