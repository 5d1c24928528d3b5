"""The longest datagram, filled with whatever a pattern might stumble over, costs milliseconds: there is no input by
which one sender stops everybody's messages."""

import contextlib
import itertools
import time

import pytest

from eventd.errors import ParseError
from eventd.parse.framing import split_datagram
from eventd.parse.syslog import parse_syslog

#: The most that UDP over IPv4 carries.
LENGTH = 65_507
#: Seconds of processor time, best of three. The slowest needs 4 ms, for text in no encoding, and ten times that on a
#: busy machine; a pattern that goes back over what it read needs seconds.
AFFORDABLE_S = 0.3

TIME = b"<188>Nov 21 2026 04:00:00 FW1 "
HEADS = [
    b"",
    b"<188>",
    b"<",
    b"<188>1 ",
    b"<188>1 - - - - - ",
    b'<188>1 2026-01-01T00:00:00Z h a p m [a b="',
    b"<13>Nov 21 04:00:00 h p: ",
    b"#47/active/a/Major/occurredTime:",
    b"x\n",
    TIME,
    TIME + b"A/4/",
    TIME + b"A/4/B:OID 1",
    TIME + b"A/4/B:-AA=",
    TIME + b"%%01A/4/B(l):CID=",
]
UNITS = [
    *(b"\n", b"\0", b"\r\n", b"\t", b" ", b" \n", b"1", b"1.", b". ", b"A", b"A/", b"A/4/", b"A/4/B", b"/4/A ", b"a/"),
    *(b"<", b"<1>", b"%", b"%%01", b"%%01A/4/B", b"[", b'[a b="', b"[a]", b'[a b="c" ', b"\\", b'"', b":", b"a: "),
    *(b"a[1]: ", b"- ", b"1 - - - - - ", b"CID=", b"CID=1-", b"slot=1;", b"VS=a;", b"-AA=b;", b", ", b"A=b, ", b"="),
    *(b"OID ", b"OID 1.", b"Nov 21 2026 04:00:00 ", b"2026-11-21 04:00:00 ", b"DST ", b"+08:00 ", b"0123456789"),
    *(b"\nNov 21 04:00:00 a", b"\n2026-11-21 04:00:00 A/", b"\n<1>", b"\n#", b"#", b"^", b"(l)", b"(", b"\xef\xbb\xbf"),
    *(b"\xff", b"\xff\xfea", "隧".encode(), "隧".encode("gbk"), b"\xe9\x9a"),
]
MANY_KEYS = b"".join(b"-%c%c%c=b;" % letters for letters in itertools.product(range(97, 123), repeat=3))


def cost(work, payload: bytes) -> float:
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        with contextlib.suppress(ParseError):
            work(payload)
        best = min(best, time.process_time() - began)
        if best < AFFORDABLE_S / 10:
            break
    return best


@pytest.mark.conformance("RFC 5424 §8.12", "no filling of any header makes reading expensive")
@pytest.mark.parametrize("work", [parse_syslog, split_datagram])
@pytest.mark.parametrize("tail", [b"", b"x", b"\n<1>a"])
@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_no_filling_is_expensive(head, tail, work) -> None:
    slow = {}
    for unit in UNITS:
        spent = cost(work, head + unit * ((LENGTH - len(head) - len(tail)) // len(unit)) + tail)
        if spent > AFFORDABLE_S:
            slow[unit] = spent
    assert not slow


@pytest.mark.parametrize("mark", [b"(l)", b"(t)", b""])
def test_many_different_ids_are_not_expensive(mark) -> None:
    assert cost(parse_syslog, (TIME + b"%%01A/4/B" + mark + b":" + MANY_KEYS)[:LENGTH]) < AFFORDABLE_S
