"""A scrape as text. What stands before the value of a series is written by the client library once, and not at every
scrape: with 10,000 peers that would take the interpreter from the loop for 0.2 s of each."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from eventd.metrics import Labels, Spec
from eventd.telemetry import family

#: Series from which on it pays to remember them. Only metrics of devices, peers and sources have so many.
MANY = 200
#: What ends a scrape in OpenMetrics (https://prometheus.io/docs/specs/om/open_metrics_spec/#overall-structure).
EOF = "# EOF\n"

Encoder = Callable[[CollectorRegistry], bytes]

#: Of -0.0 and 0.0, which are one key, whichever came first: Prometheus reads them alike.
_number = lru_cache(4096)(floatToGoString)


class Exposition:
    """Writes scrapes in one format, in any thread, several at once."""

    def __init__(self, accept: str) -> None:
        """``accept`` is that header of whoever asks; plain text for what the library makes nothing of."""
        self.accept = accept
        try:
            self._encode, self.content_type = choose_encoder(accept)
        except (ValueError, TypeError):  # what the library makes of a version that is no number
            self._encode, self.content_type = choose_encoder("")
        #: By the name of a metric, what `_written` makes.
        self._heads: dict[str, str] = {}
        self._series: dict[str, dict[Labels, str]] = {}

    def text(self, seen: Iterable[tuple[Spec, Mapping[Labels, float]]], others: Iterable[Metric]) -> bytes:
        """The metrics of `Telemetry.seen`, and other families."""
        few, many = list(others), list[str]()
        for spec, values in seen:
            if spec.kind == "histogram" or len(values) < MANY:
                few.append(family(spec, values))
            else:
                many += self._lines(spec, values)
        text = self._encode(_Families(few)).decode()
        return "".join([text.removesuffix(EOF), *many, EOF * text.endswith(EOF)]).encode()

    def _lines(self, spec: Spec, values: Mapping[Labels, float]) -> list[str]:
        known = self._series.get(spec.name, {})
        if new := [labels for labels in values if labels not in known]:
            self._heads[spec.name], added = self._written(spec, new)
            known = known | added
        self._series[spec.name] = {labels: known[labels] for labels in values}
        return [self._heads[spec.name], *[f"{known[labels]}{_number(value)}\n" for labels, value in values.items()]]

    def _written(self, spec: Spec, new: list[Labels]) -> tuple[str, dict[Labels, str]]:
        """What stands before the first series, and before the value of each."""
        text = self._encode(_Families([family(spec, dict.fromkeys(new, 0))])).decode().removesuffix(EOF)
        lines = text.removesuffix("\n").split("\n")
        head, series = lines[: -len(new)], lines[-len(new) :]
        befores = (line[: line.rindex(" ") + 1] for line in series)
        return "".join(f"{line}\n" for line in head), dict(zip(new, befores, strict=True))


class _Families(CollectorRegistry):
    """These and no others."""

    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__(auto_describe=False)
        self._collected = families

    def collect(self) -> Iterable[Metric]:
        return self._collected
