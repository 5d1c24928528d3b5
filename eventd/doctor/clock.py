"""Whether our own clock is kept right: everything is judged by the time of arrival."""

import ctypes
import struct
import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from eventd.doctor.finding import Finding

#: struct timex up to ``status`` (linux/timex.h): modes, offset, freq, maxerror, esterror (microseconds), status.
_TIMEX = struct.Struct("@I4l" + "i")
#: The whole of it is 208 octets on 64-bit machines.
_ROOM = 512
_STA_UNSYNC = 0x0040
#: No eventd is older than this (2025-01-01): a clock before it starts at the epoch at every boot.
OLDEST = 1_735_689_600.0
#: Beyond a second the order of two devices' messages can no longer be trusted.
LARGE_ERROR_S = 1.0

_ADVICE = "run chrony or systemd-timesyncd (timedatectl set-ntp true)"


class Kept(Struct, frozen=True):
    """What the kernel knows of its clock: whether somebody keeps it right, and how wrong it may be, in seconds."""

    synchronised: bool
    max_error_s: float


def kept() -> Kept:
    """adjtimex(2), only reading. OSError where it may not be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(_ROOM)
    if libc.adjtimex(buffer) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    _, _, _, max_error, _, status = _TIMEX.unpack_from(buffer)
    return Kept(not status & _STA_UNSYNC, max_error / 1e6)


def examine(read: Callable[[], Kept] = kept, now: Callable[[], float] = time.time) -> Iterator[Finding]:
    """Our clock."""
    if now() < OLDEST:
        yield Finding("clock", "problem", f"it is {time.strftime('%Y-%m-%d', time.gmtime(now()))} here", _ADVICE)
    try:
        state = read()
    except OSError as error:
        yield Finding("clock", "note", f"the kernel does not tell whether it is synchronised: {error.strerror}")
        return
    if not state.synchronised:
        yield Finding("clock", "warning", "nobody keeps it right: the kernel says that it is not synchronised", _ADVICE)
    elif state.max_error_s > LARGE_ERROR_S:
        seen = f"synchronised, but it may be wrong by {state.max_error_s:.1f} s"
        yield Finding(
            "clock", "warning", seen, "look at the time source: chronyc tracking, timedatectl timesync-status"
        )
    else:
        yield Finding("clock", "ok", f"synchronised within {state.max_error_s:.3f} s")
