"""How many messages per second one source may send, so that one noisy box does not use up what all have together."""

from eventd.receivers.addresses import MAX_SOURCES


class Quotas:
    """A token bucket per source: ``per_second`` messages a second on average, one second's worth at once.

    Time is passed in, in seconds of any clock; one that steps back gives nothing and takes nothing. At the limit of
    sources the one unheard for longest is forgotten: it gets a full bucket when it comes back, and whoever is being
    limited now stays so, however many sources somebody forges meanwhile.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second, self._burst = per_second, max(per_second, 1.0)
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens left, and when that was so

    def allows(self, source: str, now: float) -> bool:
        """Whether one more message may be taken now; one that may not costs nothing."""
        tokens = self._tokens(source, now)
        allowed = tokens >= 1
        self._keep(source, tokens - 1 if allowed else tokens, now)
        return allowed

    def wait_after(self, source: str, count: int, now: float) -> float:
        """Take ``count`` messages that are here already; seconds until there is room for the next one."""
        tokens = self._tokens(source, now) - count
        self._keep(source, tokens, now)
        return max(0.0, 1 - tokens) / self._per_second

    def _keep(self, source: str, tokens: float, now: float) -> None:
        self._buckets.pop(source, None)
        self._buckets[source] = tokens, now
        if len(self._buckets) > MAX_SOURCES:
            del self._buckets[next(iter(self._buckets))]

    def _tokens(self, source: str, now: float) -> float:
        tokens, since = self._buckets.get(source, (self._burst, now))
        return min(self._burst, tokens + max(0.0, now - since) * self._per_second)
