"""Whatever comes in, parsers raise nothing but `ParseError`: ``EVENTD_FUZZ=200000`` inputs for each in the long run.

The syslog and SNMP parsers have runs of their own (test_syslog.py, test_snmp.py); here are the others, and the whole
way from a damaged message through its handler.
"""

import io
import os
import random
from collections.abc import Callable, Iterator

import pytest
from packets import ethernet, ipv4, pcap, pcapng, udp
from snmp_strategies import damage
from storm import fail_line, start_line, stop_line, stop_trap

from eventd.decode import Decoder
from eventd.errors import ParseError
from eventd.inventory import Inventory
from eventd.model import Event, Malformed, Message
from eventd.parse.framing import StreamFramer, split_datagram
from eventd.parse.pcap import Capture
from eventd.parse.recording import parse_line
from eventd.parse.snmp import Access
from eventd.registry import load

N = int(os.environ.get("EVENTD_FUZZ", "3000"))
NOW = 1_790_000_000.0


def damaged(good: list[bytes], seed: int) -> Iterator[bytes]:
    """`N` inputs: good ones, damaged in many ways."""
    rng = random.Random(seed)
    for _ in range(N):
        yield damage(rng.choice(good), rng)


def frames(data: bytes) -> None:
    framer = StreamFramer(4096)
    cut = len(data) // 2
    framer.feed(data[:cut])
    framer.feed(data[cut:])
    framer.finish()
    split_datagram(data)


def capture(data: bytes) -> None:
    list(Capture(io.BytesIO(data).read))


STREAM = [b"".join(b"%d %s" % (len(m), m) for m in (b"<13>one", b"<14>two")), b"<13>one\n<14>two\r\n<15>three\0"]
FRAME = ethernet(ipv4(udp(stop_line(1).encode())))
RECORDED = [b"2026-11-21T04:00:00Z\tsyslog-udp\t192.0.2.1:514\t<13>text\\twith\\\\escapes\\x00", b"bare line"]
PARSERS: dict[str, tuple[list[bytes], Callable[[bytes], object]]] = {
    "framing": (STREAM, frames),
    "pcap": ([pcap([(NOW, FRAME)]), pcapng([(NOW, FRAME)])], capture),
    "recording": (RECORDED, lambda data: parse_line(data, NOW)),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("parser", list(PARSERS))
def test_a_parser_raises_nothing_but_its_error(parser: str) -> None:
    good, parse = PARSERS[parser]
    refused = 0
    for data in damaged(good, seed=1):
        try:
            parse(data)
        except ParseError:
            refused += 1
    assert refused < N


MESSAGES = {
    "syslog-udp": [
        stop_line(1).encode(),
        start_line(2).encode(),
        fail_line(3, "authentication fail", 15).encode(),
        b"<188>Nov 21 2026 04:00:00 F %%01IPSEC_ADP/4/FLOWSELFHEAL(l)[3]:flows healed (Slot=1, CPU=0, Peer=192.0.2.7)",
        b"2024-12-24T07:08:32.7+00:00 host ipsec_ike[3]: [192.0.2.1] IPSec tunnel negotiation fails. (Reason=[x])",
    ],
    "snmp-v2c": [stop_trap(1)],
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("transport", list(MESSAGES))
def test_no_damage_makes_a_handler_fail(transport: str) -> None:
    def bug(error: Exception, message: Message) -> None:
        raise AssertionError(message.payload) from error

    decoder = Decoder(load(), Inventory(), Access(["public"]), on_bug=bug)
    events = 0
    for data in damaged(MESSAGES[transport], seed=2):
        result = decoder.decode(Message(transport, "192.0.2.1", 514, NOW, data))
        assert isinstance(result, Event | Malformed)
        events += isinstance(result, Event) and result.event is not None
    assert events > 0
