"""Hostile input for a running service: real messages of every kind, mutated, cut, glued and random, without end."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import snmp_strategies as snmp
from snmp_strategies import damage
from storm import fail_line, start_line, stop_line, stop_trap

from eventd.parse.snmp import DEFAULT_ENGINE_ID
from eventd.parse.snmp_pdu import INFORM, encode_pdu
from eventd.parse.usm import REPORTABLE_FLAG

GOLDEN = Path(__file__).parent.parent / "golden"

#: The users of `snmp_strategies.USERS` and the engine id that their informs are for, as a configuration has them.
SNMP = (
    f'communities = ["public"]\nengine_id = "{DEFAULT_ENGINE_ID.hex()}"\n'
    """
[[receivers.snmp.users]]
name = "fw"
auth = "SHA256"
auth_key = "auth-password"
priv = "AES128"
priv_key = "priv-password"
[[receivers.snmp.users]]
name = "fw-auth"
level = "authNoPriv"
auth = "SHA"
auth_key = "auth-password"
[[receivers.snmp.users]]
name = "fw-open"
level = "noAuthNoPriv"
[[receivers.snmp.users]]
name = "fw-des"
auth = "MD5"
auth_key = "auth-password"
priv = "DES"
priv_key = "priv-password"
"""
)


def lines() -> list[bytes]:
    """Syslog lines of every kind that the golden folders have, and a few more."""
    golden = [path.read_bytes().rstrip(b"\n") for path in sorted(GOLDEN.rglob("input.txt"))]
    return [*golden, stop_line(1).encode(), start_line(1).encode(), fail_line(1, "authentication fail", 15).encode()]


def traps() -> list[bytes]:
    """Notifications of v1, v2c and v3, traps and informs, whose v3 time is now."""
    golden = [bytes.fromhex(path.read_text()) for path in sorted(GOLDEN.rglob("input.hex"))]
    now, inform = time.time(), encode_pdu(INFORM, 5, snmp.STOP)
    devices = [snmp.Device(user, booted_at=now - 5000) for user in snmp.USERS]
    ours = [snmp.Device(user, DEFAULT_ENGINE_ID, 1, 0.0) for user in snmp.USERS]
    v3 = [device.message(now=now) for device in devices] + [
        device.message(inform, now=now, flags=REPORTABLE_FLAG) for device in ours
    ]
    return [*golden, stop_trap(1), *v3 * 8]


def stream_of(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """``count`` messages: a tenth whole, the rest damaged in one of several ways; never longer than a datagram."""
    rng = random.Random(seed)
    ways: list[Callable[[bytes], bytes]] = [
        lambda message: message,
        *[lambda message: damage(message, rng)] * 5,
        lambda message: message[: rng.randrange(len(message) + 1)],
        lambda message: message + rng.choice(seeds),
        lambda message: message[: rng.randrange(len(message) + 1)] + rng.choice(seeds)[rng.randrange(20) :],
        lambda _: rng.randbytes(rng.randrange(300)),
    ]
    for _ in range(count):
        yield rng.choice(ways)(rng.choice(seeds))
