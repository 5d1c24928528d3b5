"""What was seen a short while ago, in bounded memory."""

from collections import deque

#: The time is cut into so many parts, and the keys of a part are forgotten together: with few parts more is held than
#: has to be, and the memory of a busy process rises and falls by what a part holds; with many a look-up takes longer.
PARTS = 4


class Recent:
    """Keys seen within the last ``keep_s`` seconds, and some for up to half as long again (`PARTS`).

    More than ``limit`` keys in that time make it forget sooner; it holds half as many again at most. Time is passed in.
    """

    __slots__ = ("_keep_s", "_limit", "_part_s", "_parts")

    def __init__(self, keep_s: float, limit: int) -> None:
        self._keep_s, self._limit, self._part_s = keep_s, limit, keep_s / PARTS
        #: When each began, and its keys: none of them was seen later than ``_part_s`` seconds after that.
        self._parts = deque[tuple[float, set[bytes]]]([(0.0, set())])

    def __len__(self) -> int:
        return sum(len(keys) for _, keys in self._parts)

    def add(self, key: bytes, now: float) -> bool:
        """Whether the key is new; remembered from now on."""
        began, newest = self._parts[-1]
        if now - began > self._part_s or len(newest) * PARTS >= self._limit:
            newest = set()
            self._parts.append((now, newest))
            self._forget(now)
        for _, keys in self._parts:
            if key in keys:
                return False
        newest.add(key)
        return True

    def _forget(self, now: float) -> None:
        """What is too old, and what is too much: behind it came as many as there may be."""
        while (
            now - self._parts[0][0] > self._keep_s + self._part_s or len(self) - len(self._parts[0][1]) >= self._limit
        ):
            self._parts.popleft()
