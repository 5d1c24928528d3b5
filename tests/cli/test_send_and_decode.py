"""Everything that the real handlers can word is sent, and decoded again as the event that it was sent as."""

import ipaddress
from datetime import UTC, datetime

import pytest

from eventd.contract import SyslogTemplate, TrapTemplate
from eventd.decode import Decoder
from eventd.inventory import Inventory
from eventd.model import Event, Malformed, Message
from eventd.parse.snmp import Access, transport_of
from eventd.registry import load
from eventd.sender import syslog, traps
from eventd.sender.templates import accepted, choose, fill

REGISTRY = load()
DECODER = Decoder(REGISTRY, Inventory(), Access(["public"]), on_bug=lambda error, _: pytest.fail(repr(error)))
WHEN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
SYSLOG = [template for group in REGISTRY.syslog_templates.values() for template in group]
TRAPS = [template for group in REGISTRY.trap_templates.values() for template in group]
PEER, LOCAL = "198.51.100.77", "192.0.2.66"


def decode(payload: bytes, transport: str) -> Event | Malformed:
    return DECODER.decode(Message(transport, "192.0.2.1", 0, WHEN.timestamp(), payload))


def given(template: SyslogTemplate | TrapTemplate) -> dict[str, str]:
    wanted = {"peer": PEER, "local": LOCAL, "reason": "authentication fail", "interface": "GigabitEthernet0/0/9"}
    return fill(template, {name: value for name, value in wanted.items() if name in accepted(template)})


def check(template: SyslogTemplate | TrapTemplate, found: Event | Malformed) -> None:
    assert isinstance(found, Event), found
    assert found.event == template.event, found.raw
    for name in ("peer", "local", "interface"):
        if name in accepted(template):
            assert getattr(found, name) == given(template)[name], found.raw


@pytest.mark.parametrize("template", SYSLOG, ids=lambda template: template.mnemonic)
def test_every_syslog_template_in_every_form_and_value_style(template: SyslogTemplate) -> None:
    forms = [syslog.Layout(form=form) for form in syslog.FORMS if form != "J"]
    styles = [syslog.Layout(value_style=style) for style in sorted(syslog.VALUE_STYLES)]
    for layout in forms + styles:
        check(template, decode(syslog.compose(template, given(template), WHEN, layout=layout), "syslog-udp"))


def test_the_cloud_gateway_form_of_a_negotiation_failure() -> None:
    template = choose(REGISTRY.syslog_templates, "IPSECNEGOFAIL")
    layout = syslog.Layout(form="J", value_style="bracketed")
    check(template, decode(syslog.compose(template, given(template), WHEN, layout=layout), "syslog-udp"))


@pytest.mark.parametrize("template", TRAPS, ids=lambda template: template.notification)
def test_every_trap_template(template: TrapTemplate) -> None:
    values = given(template)
    for suffix in (True, False):
        for series in (
            traps.trap_v1(template, values, "public", LOCAL, suffix),
            traps.trap_v2c(template, values, "public", suffix),
        ):
            payload = series.next()
            check(template, decode(payload, transport_of(payload)))


@pytest.mark.parametrize("event", ["ipsec.tunnel.stop", "ipsec.tunnel.start", "ipsec.negotiation.fail"])
def test_the_default_message_of_the_main_events_tells_peer_interface_and_reason(event: str) -> None:
    template = choose(REGISTRY.syslog_templates, event)
    trap = choose(REGISTRY.trap_templates, event)
    payload = traps.trap_v2c(trap, {}, "public").next()
    for found in (
        decode(syslog.compose(template, {}, WHEN), "syslog-udp"),
        decode(payload, "snmp-v2c"),
    ):
        assert isinstance(found, Event)
        assert found.peer is not None
        assert ipaddress.ip_address(found.peer)
        assert found.interface == "GigabitEthernet0/0/1"
        assert (found.reason is None) == (event == "ipsec.tunnel.start")
