"""What was seen a short while ago, in bounded memory."""


class Recent:
    """Keys seen within the last ``keep_s`` seconds, and some for up to three times as long.

    Two halves are swapped when the newer one is old or full, so forgetting costs nothing. More than ``limit`` keys in
    ``keep_s`` seconds make it forget sooner. Time is passed in.
    """

    __slots__ = ("_keep_s", "_limit", "_new", "_old", "_since")

    def __init__(self, keep_s: float, limit: int) -> None:
        self._keep_s, self._limit = keep_s, limit
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def add(self, key: bytes, now: float) -> bool:
        """Whether the key is new; remembered from now on."""
        age = now - self._since
        if age > self._keep_s or len(self._new) >= self._limit:
            self._old, self._new, self._since = self._new if age <= 2 * self._keep_s else set(), set(), now
        if key in self._new or key in self._old:
            return False
        self._new.add(key)
        return True
