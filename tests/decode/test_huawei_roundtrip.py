"""What `eventd send` writes is what the handlers read: every template, with anything that its fields can hold."""

from ipaddress import ip_address
from typing import Any

import pytest
from examples import some
from huawei_lines import event, line, registry, trap
from hypothesis import given
from hypothesis import strategies as st

from eventd.contract import SyslogTemplate, TrapTemplate
from eventd.model import Event, Syntax
from eventd.sender.syslog import VALUE_STYLES, body
from handlers._common.values import ADDRESSES
from handlers.huawei.reasons import CATALOGUE

HANDLERS = [handler for handler in registry().handlers if handler.vendor == "huawei"]
LOGS = [template for handler in HANDLERS for template in handler.syslog_templates]
TRAPS = [template for handler in HANDLERS for template in handler.trap_templates]
NUMBERS = ("ifindex", "policy_seq", "rule", "tunnel_index", "conn_id", "code")
FLOWS = (
    "10.1.2.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0",
    "src=10.1.2.0/24, dst=10.1.1.0/24, port=0, dscp=0",
    "2001:db8::/64",
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9_./:-]{0,20}", fullmatch=True).filter(lambda name: name.lower() != "public")
v4 = st.ip_addresses(v=4).filter(lambda ip: not ip.is_unspecified).map(str)
addresses = v4 | st.ip_addresses(v=6).filter(lambda ip: not (ip.ipv4_mapped or ip).is_unspecified).map(str)
numbers = st.integers(0, 2**31 - 1).map(str)
reasons = st.sampled_from([row.reason.name for row in CATALOGUE.rows]) | st.sampled_from(
    ["Something new, again", "x/y's"]
)
BY_FIELD = {
    **dict.fromkeys(ADDRESSES, addresses),
    **dict.fromkeys(NUMBERS, numbers),
    "peer_port": st.integers(0, 65535).map(str),
    **dict.fromkeys(("interface", "policy", "vsys"), names),
    **dict.fromkeys(("slot", "cpu"), st.integers(0, 99).map(str)),
    "flow": st.sampled_from(FLOWS),
    "role": st.sampled_from(["Initiator", "Responder"]),
    "reason": reasons,
}


def fields_of(template: SyslogTemplate | TrapTemplate) -> set[str]:
    parts = template.fields if isinstance(template, SyslogTemplate) else template.varbinds
    return {part.field for part in parts}


@st.composite
def values(draw: st.DrawFn, template: SyslogTemplate | TrapTemplate) -> dict[str, str]:
    wanted = sorted(fields_of(template) & BY_FIELD.keys())
    drawn = {field: draw(BY_FIELD[field]) for field in wanted}
    for var in template.varbinds if isinstance(template, TrapTemplate) else ():
        if var.syntax is Syntax.IP_ADDRESS and var.field in drawn:
            drawn[var.field] = draw(v4)
    return drawn


def said(decoded: Event, field: str) -> Any:
    """What an event says of a field of the wire, wherever that is kept."""
    if field == "reason":
        return {decoded.reason.text if decoded.reason else None, decoded.extra.get("Reason")}
    if field == "code":
        return {str(decoded.reason.code) if decoded.reason else None, decoded.extra.get("ReasonCode")}
    if field == "target":
        return {decoded.extra.get("target")}
    value = getattr(decoded, field)
    return {None if value is None else str(value)}


def check(decoded: Event, template: SyslogTemplate | TrapTemplate, given_: dict[str, str]) -> None:
    assert decoded.event == template.event
    for field, value in given_.items():
        expected = value.lower() if field == "role" else value
        if field in ADDRESSES:
            address = ip_address(value)
            expected = str(getattr(address, "ipv4_mapped", None) or address)
        assert expected in said(decoded, field), (field, value, decoded)


@pytest.mark.parametrize("template", LOGS, ids=lambda template: f"{template.module}-{template.mnemonic}")
@given(st.data())
@some(10)
def test_a_log_says_what_it_was_given_in_any_style(template: SyslogTemplate, data: st.DataObject) -> None:
    given_ = data.draw(values(template))
    style = data.draw(st.sampled_from(sorted(VALUE_STYLES)))
    oid = f"OID {template.oid} " if template.oid else ""
    tag = f"{template.module}/{template.level}/{template.mnemonic}"
    decoded = event(line(tag, oid + body(template, given_, style)))
    check(decoded, template, given_)
    for field in template.fields:
        if field.field == field.key and field.default and field.key not in ("Command", "Status"):
            assert decoded.extra[field.key] == field.default


@pytest.mark.parametrize("template", TRAPS, ids=lambda template: template.notification)
@given(st.data())
@some(2)
def test_a_notification_says_what_it_was_given_in_v1_and_v2c(template: TrapTemplate, data: st.DataObject) -> None:
    given_ = data.draw(values(template))
    version, suffix = data.draw(st.sampled_from(["v1", "v2c"])), data.draw(st.booleans())
    check(event(trap(template.notification, given_, version, suffix)), template, given_)
