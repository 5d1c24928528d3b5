"""How a channel stands, for those who look at it."""

from datetime import datetime

from msgspec import Struct

from eventd.model import utc


class Standing(Struct, frozen=True):
    """Since when the messages of a channel fail, until when it is left alone (Unix seconds; 0: they do not, it is
    not), and how the last try failed, as far as this run of eventd has seen it."""

    failing_since: float = 0.0
    rests_until: float = 0.0
    error: str | None = None

    def row(self, now: float) -> dict[str, datetime | str | None]:
        """The same as of ``now`` (Unix seconds), None where there is nothing to say."""
        return {
            "failing_since": utc(self.failing_since) if self.failing_since else None,
            "rests_until": utc(self.rests_until) if self.rests_until > now else None,
            "error": self.error,
        }
