"""What cannot be read at the end of a write-ahead log: SQLite passes over it without a word, so we look before it does.

Pure: bytes in, findings out. Source of the format: https://www.sqlite.org/fileformat2.html section 4 ("The Write-Ahead
Log"): a header of 32 octets; then frames, each a header of 24 octets and one page. A frame counts if its two salts are
those of the header and its checksum, which goes on from the one before, is right; a transaction counts up to its last
frame, the only one that states a size of the database. Frames of an earlier round may follow: the log is written
again from its beginning, with a first salt that is one higher.
"""

import struct
from mmap import mmap
from typing import Literal, NamedTuple

from msgspec import Struct

#: What a break in the log means, from the harmless to the grave.
Damage = Literal["unfinished", "last_commit", "later_commits", "header"]
DAMAGES: tuple[Damage, ...] = ("unfinished", "last_commit", "later_commits", "header")

#: A longer log is not looked at: a second of start for each 40 MB would be too long. The log is cut back to 64 MiB; it
#: grows further only while somebody holds a reading transaction open.
MAX_LOOKED_AT = 256 * 2**20

HEADER, FRAME = struct.Struct(">8I"), struct.Struct(">6I")
#: The least bit says in which order of octets the words are summed up.
MAGIC = 0x377F0682
VERSION = 3_007_000
#: Rounds that a leftover frame may be older than the log: far more than a file sees between two starts.
MAX_ROUNDS = 2**20

_WORD = 0xFFFFFFFF


class Log(Struct, frozen=True):
    """``kept``: frames up to the end of the last readable transaction, which is all that SQLite takes. ``frames`` and
    ``octets`` behind them cannot be read, although they belong to the log; ``commits`` of these frames end a
    transaction. ``damage`` None: the log ends as it should."""

    kept: int = 0
    frames: int = 0
    octets: int = 0
    commits: int = 0
    damage: Damage | None = None


class _Head(NamedTuple):
    """The header of a log."""

    order: Literal["<", ">"]
    page: int
    salts: tuple[int, int]
    sums: tuple[int, int]


def examine(log: bytes | bytearray | mmap) -> Log:
    """What a log holds that cannot be read, and what that means. Takes a second for about 40 MB."""
    data = memoryview(log)
    if len(data) <= HEADER.size:
        return Log()  # a header alone says nothing
    if (head := _head(data)) is None:
        return Log(octets=len(data) - HEADER.size, damage="header")
    kept, intact = _readable(data, head)
    return _behind(data, head, kept, intact)


def _head(data: memoryview) -> _Head | None:
    magic, version, page, _, salt1, salt2, *sums = HEADER.unpack_from(data)
    order: Literal["<", ">"] = ">" if magic & 1 else "<"
    if magic | 1 != MAGIC | 1 or version != VERSION or not (512 <= page <= 65536 and page.bit_count() == 1):
        return None
    found = _sums(data[:24], order, (0, 0))
    return _Head(order, page, (salt1, salt2), found) if found == tuple(sums) else None


def _sums(data: memoryview, order: Literal["<", ">"], sums: tuple[int, int]) -> tuple[int, int]:
    """Section 4.2: the words are taken in pairs, and each sum goes into the other."""
    one, other = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = (one + first + other) & _WORD
        other = (other + second + one) & _WORD
    return one, other


def _readable(data: memoryview, head: _Head) -> tuple[int, int]:
    """How many frames count, and how many are intact: the rest of those belongs to a transaction that never ended."""
    sums, kept, size = head.sums, 0, FRAME.size + head.page
    for number in range((len(data) - HEADER.size) // size):
        at = HEADER.size + number * size
        page, pages, *rest = FRAME.unpack_from(data, at)
        if page == 0 or tuple(rest[:2]) != head.salts:
            return kept, number
        sums = _sums(data[at : at + 8], head.order, sums)
        sums = _sums(data[at + FRAME.size : at + size], head.order, sums)
        if sums != tuple(rest[2:]):
            return kept, number
        if pages:
            kept = number + 1
    return kept, (len(data) - HEADER.size) // size


def _behind(data: memoryview, head: _Head, kept: int, intact: int) -> Log:
    """What stands behind the intact frames. ``kept`` of those count."""
    size = FRAME.size + head.page
    begin = HEADER.size + intact * size
    ours = [at for at in range(begin, len(data) - 15, size) if _salts(data, at) == head.salts]
    if not ours:
        foreign = len(data) - begin
        if not foreign or _earlier_round(data, begin, head):
            return Log(kept)
        return Log(kept, -(-foreign // size), foreign, damage="unfinished")
    # The break itself is ours, whatever its salts say by now: what follows it is.
    octets = min(ours[-1] + size, len(data)) - begin
    ends = [at for at in ours if at + size <= len(data) and any(data[at + 4 : at + 8])]  # half a frame was never synced
    damage: Damage = "later_commits"
    if ends in ([], [ours[-1]]):
        damage = "last_commit" if ends else "unfinished"
    return Log(kept, -(-octets // size), octets, len(ends), damage)


def _salts(data: memoryview, at: int) -> tuple[int, int]:
    one, other = struct.unpack_from(">2I", data, at + 8)
    return one, other


def _earlier_round(data: memoryview, at: int, head: _Head) -> bool:
    """Whether what stands there was left by an earlier round of the log."""
    return at + 16 <= len(data) and 0 < (head.salts[0] - _salts(data, at)[0]) & _WORD < MAX_ROUNDS
