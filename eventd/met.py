"""What came once. What is kept only from the second time on is not driven out by a storm in which nothing repeats."""

from collections.abc import Hashable


class Met:
    """Up to ``most`` things by their hash, some 100 bytes each; all are forgotten when there are more. Two that share a
    hash are one, so that the second is remembered a time too early."""

    __slots__ = ("_marks", "_most")

    def __init__(self, most: int) -> None:
        self._marks: set[int] = set()
        self._most = most

    def before(self, thing: Hashable) -> bool:
        """Whether it came before; from now on it did."""
        mark = hash(thing)
        if mark in self._marks:
            return True
        if len(self._marks) >= self._most:
            self._marks.clear()
        self._marks.add(mark)
        return False

    def forget(self) -> None:
        """Nothing came before."""
        self._marks.clear()

    def __len__(self) -> int:
        return len(self._marks)
