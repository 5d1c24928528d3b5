"""A fleet of SNMPv3 firewalls, one user, one port, nothing configured per device: a real eventd over real sockets."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import COLD_START, Firewall, address, attacks, engine_id, send
from pysnmp.hlapi.v3arch import asyncio as hlapi
from service import Service, until

pytestmark = pytest.mark.timeout(600)

#: EVENTD_FLEET=5000 runs it at full size; the default keeps the suite short. Two attacks for each device.
SIZE = int(os.environ.get("EVENTD_FLEET", "200"))

ONE_USER = """
[[receivers.snmp.users]]
name = "fw"
level = "authPriv"
auth = "SHA256"
auth_key = "auth-password"
priv = "AES128"
priv_key = "priv-password"
"""


@pytest.fixture
def eventd(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, snmp_extra=ONE_USER)
    service.start()
    yield service
    assert service.ledger_faults() == []
    assert service.stop() == 0
    assert "Traceback" not in service.log.read_text()


def taken(eventd: Service) -> float:
    return eventd.metrics()['eventd_parsed_total{transport="snmp-v3"}']


def refused(eventd: Service) -> dict[str, float]:
    """How many v3 messages were refused, by reason."""
    return {
        key.partition('reason="')[2].partition('"')[0]: n
        for key, n in eventd.metrics().items()
        if key.startswith("eventd_rejected_total") and 'transport="snmp-v3"' in key and n
    }


def changes(eventd: Service) -> dict[str, float]:
    prefix = 'eventd_snmp_engine_changes_total{change="'
    return {key[len(prefix) : -2]: n for key, n in eventd.metrics().items() if key.startswith(prefix) and n}


def deliver(eventd: Service, messages: list[bytes], total: int, what: str) -> None:
    started = time.perf_counter()
    send(eventd.ports["snmp"], ((address(number), message) for number, message in enumerate(messages)))
    until(lambda: taken(eventd) >= total, what, 120, every_s=0.25)
    print(f"{what}: {len(messages)} traps in {time.perf_counter() - started:.2f} s")


@pytest.mark.conformance("RFC 3414 §2.3", "a fleet of engines is learned, reboots at once, and nobody can speak for it")
def test_a_fleet_is_learned_reboots_at_once_and_nobody_can_speak_for_it(eventd: Service) -> None:
    fleet = [Firewall(number, boots=7, booted_at=time.time() - 5000) for number in range(SIZE)]
    before = [device.trap(number) for number, device in enumerate(fleet)]
    deliver(eventd, before, SIZE, "first contact")
    assert changes(eventd) == {"learned": SIZE}
    assert eventd.metrics()["eventd_snmp_engines"] == SIZE

    fleet = [device.rebooted() for device in fleet]
    fresh = [device.trap(SIZE + number) for number, device in enumerate(fleet)]
    deliver(eventd, fresh, 2 * SIZE, "reboot of all")
    assert changes(eventd) == {"learned": SIZE, "rebooted": SIZE}
    assert refused(eventd) == {}

    started = time.perf_counter()
    sent = send(eventd.ports["snmp"], attacks(fleet, before, fresh, 2 * SIZE))
    until(lambda: sum(refused(eventd).values()) == sent, "all attacks to be refused", 120, every_s=0.25)
    print(f"attacks: {sent} in {time.perf_counter() - started:.2f} s, {refused(eventd)}")
    assert taken(eventd) == 2 * SIZE, "none of them was taken"
    assert eventd.total(eventd.metrics(), "eventd_kernel_drops_total") == 0
    assert set(refused(eventd)) >= {
        "level_too_low", "not_in_time_window", "replayed", "wrong_digest", "wrong_pdu_version",
    }  # fmt: skip

    eventd.stop()
    eventd.start()
    send(eventd.ports["snmp"], ((address(number), message) for number, message in enumerate(before)))
    until(lambda: sum(refused(eventd).values()) == SIZE, "what was said before the reboot to be refused again", 120)
    deliver(eventd, [device.trap(9 * SIZE + n) for n, device in enumerate(fleet)], SIZE, "after our own restart")
    assert "learned" not in changes(eventd), "clocks are kept over a restart"
    assert eventd.metrics()["eventd_snmp_engine_boots"] == 2


@pytest.mark.conformance(
    "RFC 3414 §3.2.7.a", "a sender of informs follows our engine over our restart, with one boot more"
)
async def test_a_sender_of_informs_follows_us_over_our_restart(eventd: Service) -> None:
    engine = hlapi.SnmpEngine(hlapi.OctetString(engine_id(1)))
    try:
        assert await inform(engine, eventd) is None
        await asyncio.to_thread(eventd.stop)
        await asyncio.to_thread(eventd.start)
        assert await inform(engine, eventd) is None
        assert await inform(engine, eventd) is None
    finally:
        engine.close_dispatcher()
        await asyncio.sleep(0)
    assert taken(eventd) == 2
    assert refused(eventd) == {"not_in_time_window": 1}, "told our new clock once, by a Report"
    assert eventd.metrics()['eventd_snmp_reports_total{outcome="sent"}'] == 1


async def inform(engine: hlapi.SnmpEngine, eventd: Service) -> object:
    """One from pysnmp, which keeps our clock as it learned it; its error indication."""
    who = hlapi.UsmUserData(
        "fw",
        "auth-password",
        "priv-password",
        authProtocol=hlapi.USM_AUTH_HMAC192_SHA256,
        privProtocol=hlapi.USM_PRIV_CFB128_AES,
    )
    target = await hlapi.UdpTransportTarget.create(("127.0.0.1", eventd.ports["snmp"]), timeout=5, retries=1)
    told = hlapi.NotificationType(hlapi.ObjectIdentity(COLD_START))
    return (await hlapi.send_notification(engine, who, target, hlapi.ContextData(), "inform", told))[0]
