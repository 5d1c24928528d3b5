"""Byte streams for tests of framing: golden lines as frames and lines, one of them damaged, cut anywhere."""

import random
from collections import Counter

from syslog_strategies import golden

from eventd.parse.framing import StreamFramer

#: Messages as a stream carries them: with PRI, without the line ends that are framing.
MESSAGES = [case.payload if case.payload.startswith(b"<") else b"<188>" + case.payload for case in golden()]
#: What a framer may hold beside one message and the last frame: the header of one more.
SLACK = 64


def counted(message: bytes, wrong_by: int = 0) -> bytes:
    """RFC 6587 section 3.4.1."""
    return b"%d %s" % (len(message) + wrong_by, message)


def _no_digits(message: bytes) -> bytes:
    return counted(message).replace(b" ", b"x ", 1)


def _no_count(message: bytes) -> bytes:
    return message


def _absurd(message: bytes) -> bytes:
    return b"99999999 " + message


def _too_small(message: bytes) -> bytes:
    return counted(message, -7)


def _second_half(message: bytes) -> bytes:
    return message[len(message) // 2 :]


#: Damage that shows in the frame itself. (A count too large shows only in what follows: `test_framing`.)
DAMAGES = (_no_digits, _no_count, _absurd, _too_small, _second_half)


def split(framer: StreamFramer, stream: bytes, rng: random.Random, longest: int) -> list[bytes]:
    """All messages of a stream read in pieces of up to ``longest`` bytes."""
    messages = []
    while stream:
        length = rng.randint(1, longest)
        messages += framer.feed(stream[:length])
        stream = stream[length:]
    return messages + framer.finish()


def any_stream(rng: random.Random) -> bytes:
    """Frames of both kinds, damaged ones, and rubbish."""
    stream = bytearray()
    for _ in range(rng.randint(1, 8)):
        message = rng.choice(MESSAGES)
        match rng.randrange(5):
            case 0:
                stream += counted(message)
            case 1:
                stream += message + rng.choice((b"\n", b"\r\n", b"\0"))
            case 2:
                stream += rng.choice(DAMAGES)(message)
            case 3:
                stream += counted(message, rng.randint(-40, 400))
            case 4:
                stream += rng.choice((b"\n", b"7 <1", b"9 <13>", b"<13>", rng.randbytes(9), b"1 <1>" * 9, b"x" * 90))
    return bytes(stream)


def check_split(stream: bytes, rng: random.Random) -> str:
    """How a stream is cut into reads changes neither messages nor errors; which errors there were."""
    limit = rng.choice((40, 100, 65_536))
    whole, pieces = StreamFramer(limit), StreamFramer(limit)
    expected = whole.feed(stream)
    assert held(whole) <= 2 * limit + SLACK
    expected += whole.finish()
    assert split(pieces, stream, rng, rng.choice((1, 9, 200))) == expected, stream
    assert dict(pieces.errors) == dict(whole.errors), stream
    assert all(0 < len(message) <= limit for message in expected)
    return "+".join(reason for reason, count in whole.errors.items() if count) or "whole"


def held(framer: StreamFramer) -> int:
    """Bytes that a framer holds between reads."""
    return len(framer._buffer) + len(framer._last)


def check_neighbours(rng: random.Random) -> str:
    """On a connection that counts and sends no line ends, a damaged frame costs no other, even if it is the first.

    Not where the damaged one ends with a digit: nobody can tell that from the count behind it.
    """
    messages = rng.sample([message for message in MESSAGES if not message[-1:].isdigit()], 6)
    place, damage = rng.randrange(5), rng.choice(DAMAGES)
    if damage is _no_count and place == 0:
        damage = _absurd  # a connection that begins with a whole line is one of lines
    frames = [counted(message) for message in messages]
    frames[place] = damage(messages[place])
    found = split(StreamFramer(), b"".join(frames), rng, 3000)
    for number, message in enumerate(messages):
        assert number == place or message.rstrip(b"\r\n\0") in found, (damage.__name__, place, number)
    return damage.__name__.strip("_")


def fuzz_framing(n: int, seed: int) -> Counter[str]:
    """Check ``n`` streams; returns how often each kind of damage was met."""
    rng = random.Random(seed)
    return Counter(check_split(any_stream(rng), rng) if turn % 2 else check_neighbours(rng) for turn in range(n))
