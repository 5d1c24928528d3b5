"""Warnings of the receivers, held back so that a hostile or broken sender cannot flood the log."""

from eventd.telemetry import RateLimit, Telemetry, get_logger


class Complaints:
    """Warnings of one receiver: one line per kind and source within the rate limit's time, the rest counted."""

    def __init__(self, telemetry: Telemetry, **where: str) -> None:
        self._telemetry, self._where = telemetry, where
        self._limit = RateLimit()

    def warn(self, event: str, source: str, **detail: object) -> None:
        """Log a warning about ``source``, with how many of this kind were held back before it."""
        held = self._limit.allow((event, source))
        if held is None:
            self._telemetry.inc("log_suppressed")
        else:
            get_logger("receivers").warning(event, source=source, held_back=held, **self._where, **detail)
