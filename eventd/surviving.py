"""A defect of ours costs one step, is counted and logged, and never stops the service."""

from collections.abc import Callable, Iterable


class Surviving:
    """Around a step: whatever `Exception` it raises ends with it and goes to ``tell``, and so does what ``faults``
    gives afterwards. It keeps nothing of a step, so that one serves them all: it is entered several times for each
    message, where a `contextlib` manager takes ten times as long.
    """

    __slots__ = ("_faults", "_tell", "_where")

    def __init__(
        self, where: str, tell: Callable[[str, Exception], None], faults: Callable[[], Iterable[Exception]]
    ) -> None:
        self._where, self._tell, self._faults = where, tell, faults

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        survived = isinstance(error, Exception)
        if isinstance(error, Exception):
            self._tell(self._where, error)
        for fault in self._faults():
            self._tell(self._where, fault)
        return survived
