"""A fleet of SNMPv3 devices on the loopback: an engine id and an address of its own each, all with one user."""

import itertools
import random
import socket
import time
from collections.abc import Iterable, Iterator

from snmp_strategies import UPTIME, Device, bindings, name, pdu_v1, user
from storm import HIGH_WATER_BYTES, waiting_bytes

from eventd.parse import snmp_v3, usm
from eventd.parse.snmp_pdu import TRAP_V2, encode_pdu

COLD_START = "1.3.6.1.6.3.1.1.5.1"
USER = user()
#: Everything of the right user but the password.
WRONG_PASSWORD = usm.User("fw", "authPriv", "SHA256", b"wrong-password", "AES128", b"priv-password")

#: (address it is sent from, datagram)
Datagram = tuple[str, bytes]


def engine_id(number: int) -> bytes:
    """Format 3 (MAC address) under Huawei's enterprise number (RFC 3411 section 5)."""
    return bytes.fromhex("800007db03") + (0x00E0FC000000 + number).to_bytes(6, "big")


def address(number: int) -> str:
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


class Firewall:
    """One device: booted at ``booted_at`` (Unix seconds) for the ``boots``-th time."""

    def __init__(self, number: int, boots: int, booted_at: float) -> None:
        self.number, self.boots, self.booted_at = number, boots, booted_at
        self._device = Device(USER, engine_id(number), boots, booted_at)

    def trap(self, msg_id: int, now: float | None = None) -> bytes:
        """A coldStart as it would be sent now."""
        pdu = encode_pdu(TRAP_V2, msg_id, bindings(UPTIME, name(COLD_START)))
        return self._device.message(pdu, now=now or time.time(), msg_id=msg_id)

    def rebooted(self) -> "Firewall":
        return Firewall(self.number, self.boots + 1, time.time())


def attacks(
    fleet: list[Firewall], old: list[bytes], fresh: list[bytes], count: int, seed: int = 1
) -> Iterator[Datagram]:
    """``count`` messages that must not be taken, each from the address of the device it pretends to be.

    Downgraded: the right name at a lower level. Replayed: from before the reboot, and from just now. Wrongly keyed:
    another password, and another device's own keys. Damaged, and a v1 PDU in a v3 message.
    """
    rng = random.Random(seed)
    kinds = itertools.cycle(
        ["noauth", "noauth", "auth only", "before", "now", "password", "neighbour", "bit", "v1 pdu"]
    )
    for number, kind in zip(range(count), kinds, strict=False):
        at = rng.randrange(len(fleet))
        yield address(at), forged(kind, fleet, at, (old, fresh), 1_000_000 + number, rng)


def forged(
    kind: str, fleet: list[Firewall], at: int, heard: tuple[list[bytes], list[bytes]], msg_id: int, rng: random.Random
) -> bytes:
    device, now = fleet[at], time.time()
    pdu = encode_pdu(TRAP_V2, msg_id, bindings(UPTIME, name(COLD_START)))
    honest = Device(USER, engine_id(at), device.boots, device.booted_at)
    match kind:
        case "noauth":
            return honest.message(pdu, now=now, msg_id=msg_id, level="noAuthNoPriv")
        case "auth only":
            return honest.message(pdu, now=now, msg_id=msg_id, level="authNoPriv")
        case "before":
            return heard[0][at]
        case "now":
            return heard[1][at]
        case "password":
            return Device(WRONG_PASSWORD, engine_id(at), device.boots, device.booted_at).message(
                pdu, now=now, msg_id=msg_id
            )
        case "neighbour":
            return borrowed_key(honest, engine_id((at + 1) % len(fleet)), pdu, now, msg_id)
        case "bit":
            message = bytearray(honest.message(pdu, now=now, msg_id=msg_id))
            message[rng.randrange(60, len(message))] ^= 1 << rng.randrange(8)
            return bytes(message)
        case _:
            return honest.message(pdu_v1(generic=0), now=now, msg_id=msg_id)


def borrowed_key(device: Device, keys_of: bytes, pdu: bytes, now: float, msg_id: int) -> bytes:
    """A message in the name of one engine with the keys of another: what a stolen device could send."""

    class Borrowed(usm.Usm):
        def __init__(self) -> None:
            super().__init__([USER], device.usm.engine_id, *device.usm.clock(now)[:1], now - device.usm.clock(now)[1])
            own = self.engine_id
            auth, priv = self.auth_key, self.priv_key
            self.auth_key = lambda account, e: auth(account, keys_of if e == own else e)
            self.priv_key = lambda account, e: priv(account, keys_of if e == own else e)

    scoped = snmp_v3.encode_scope(device.usm.engine_id, b"", pdu)
    return snmp_v3.build_message(
        Borrowed(), device.account, USER.name.encode(), usm.LEVELS["authPriv"], msg_id, scoped, now
    )


def send(port: int, datagrams: Iterable[Datagram]) -> int:
    """Send each from its own loopback address, resting while the receiver's socket holds enough; how many were sent."""
    sent = 0
    for source, payload in datagrams:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            sock.sendto(payload, ("127.0.0.1", port))
        sent += 1
        if sent % 32 == 0:
            while waiting_bytes(port) > HIGH_WATER_BYTES:
                time.sleep(0.0005)
    return sent
