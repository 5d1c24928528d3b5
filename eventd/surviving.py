"""A defect of ours costs one step, is counted and logged, and never stops the service."""

from collections.abc import Callable, Iterable

from eventd.model import Message
from eventd.parse.conceal import without_community
from eventd.telemetry import RateLimit, Telemetry, get_logger

log = get_logger("pipeline")


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


def bug_logger(telemetry: Telemetry) -> Callable[[Exception, Message], None]:
    """For `Decoder.on_bug`: a traceback in the log, at most one per kind and interval."""
    limit = RateLimit(every_s=60.0)

    def on_bug(error: Exception, message: Message) -> None:
        if limit.allow(type(error)) is None:
            telemetry.inc("log_suppressed")
        else:
            raw = without_community(message.payload)[:200].hex()
            log.error("handler failed", source=message.source, raw=raw, exc_info=error)

    return on_bug
