"""A scrape as text. What stands before the value of a series is written by the client library once, and not at every
scrape: with 10,000 peers that would take 0.2 s of each."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from eventd.metrics import Labels, Spec
from eventd.telemetry import family
from eventd.turns import ROWS_AT_ONCE, together

#: Series from which on it pays to remember them. Only metrics of devices, peers and sources have so many.
MANY = 200
#: What ends a scrape in OpenMetrics (https://prometheus.io/docs/specs/om/open_metrics_spec/#overall-structure).
EOF = "# EOF\n"

Encoder = Callable[[CollectorRegistry], bytes]

#: Of -0.0 and 0.0, which are one key, whichever came first: Prometheus reads them alike.
_number = lru_cache(4096)(floatToGoString)


class Exposition:
    """Writes scrapes in one format, several at once."""

    def __init__(self, accept: str) -> None:
        """``accept`` is that header of whoever asks; plain text for what the library makes nothing of."""
        try:
            self._encode, self.content_type = choose_encoder(accept)
        except (ValueError, TypeError):  # what the library makes of a version that is no number
            self._encode, self.content_type = choose_encoder("")
        #: By the name of a metric, what stands before the value of each series.
        self._series: dict[str, dict[Labels, str]] = {}

    def parts(self, seen: Iterable[tuple[Spec, Mapping[Labels, float]]], others: Iterable[Metric]) -> Iterator[str]:
        """The metrics of `Telemetry.seen`, and other families, in parts that take a few milliseconds at most."""
        for spec, values in seen:
            if spec.kind == "histogram" or len(values) < MANY:
                yield self._by_library(family(spec, values))
            else:
                yield from self._remembered(spec, values)
        for metric in others:
            yield self._by_library(metric)
        yield self._encode(_Family(None)).decode()

    def _remembered(self, spec: Spec, values: Mapping[Labels, float]) -> Iterator[str]:
        yield self._by_library(family(spec, {}))
        known, kept = self._series.get(spec.name, {}), dict[Labels, str]()
        for some in together(values.items(), ROWS_AT_ONCE):
            kept |= self._written(spec, [labels for labels, _ in some if labels not in known])
            kept |= {labels: known[labels] for labels, _ in some if labels in known}
            yield "".join([f"{kept[labels]}{_number(value)}\n" for labels, value in some])
        self._series[spec.name] = kept

    def _written(self, spec: Spec, new: list[Labels]) -> dict[Labels, str]:
        """What stands before the value of each."""
        lines = self._by_library(family(spec, dict.fromkeys(new, 0))).removesuffix("\n").split("\n") if new else []
        return {labels: line[: line.rindex(" ") + 1] for labels, line in zip(new, lines[-len(new) :], strict=True)}

    def _by_library(self, metric: Metric) -> str:
        return self._encode(_Family(metric)).decode().removesuffix(EOF)


class _Family(CollectorRegistry):
    """This and no other."""

    def __init__(self, metric: Metric | None) -> None:
        super().__init__(auto_describe=False)
        self._collected = () if metric is None else (metric,)

    def collect(self) -> Iterable[Metric]:
        return self._collected
