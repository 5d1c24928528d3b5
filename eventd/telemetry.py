"""Counts what happens, and the log set-up. Pure rooms neither count nor log: they return, and the shell counts.

Counting is one dict addition on a plain int (44 ns against about 300 ns for a client-library child); a custom
collector turns the ints into samples at scrape time.
"""

import bisect
import contextlib
import itertools
import logging
import logging.handlers
import queue
import sys
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import eventd
from eventd.metrics import PREFIX, SPECS, Labels, Spec
from eventd.printable import printable, printable_json

#: Label sets beyond this per metric are counted under ``other``: a hostile sender must not fill the memory of
#: eventd or of Prometheus.
MAX_LABEL_SETS = 10_000


class _Histogram:
    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def observe(self, value: float, n: int = 1) -> None:
        self.counts[bisect.bisect_left(self.bounds, value)] += n
        self.total += value * n


class Telemetry:
    """All counters of one running eventd. Names are those of `SPECS`; an unknown one is a KeyError, a bug of ours.

    Not thread-safe: call it from the event loop.
    """

    def __init__(self) -> None:
        self._specs = {spec.name: spec for spec in SPECS}
        self._values: dict[str, dict[Labels, float]] = {
            spec.name: dict.fromkeys(spec.known, 0) for spec in SPECS if spec.kind != "histogram"
        }
        self._histograms: dict[str, dict[Labels, _Histogram]] = {
            spec.name: {labels: _Histogram(spec.buckets) for labels in spec.known}
            for spec in SPECS
            if spec.kind == "histogram"
        }
        self._providers: dict[str, Callable[[], Mapping[Labels, float]]] = {}
        self.set("build_info", eventd.__version__, value=1)

    def inc(self, name: str, *labels: str, n: float = 1) -> None:
        """Add ``n`` to a counter."""
        values = self._values[name]
        if labels not in values and len(values) >= MAX_LABEL_SETS:
            self._values["label_overflow"][name,] = self._values["label_overflow"].get((name,), 0) + n
            labels = ("other",) * len(labels)
        values[labels] = values.get(labels, 0) + n

    def set(self, name: str, *labels: str, value: float) -> None:
        """Set a gauge."""
        values = self._values[name]
        if labels in values or len(values) < MAX_LABEL_SETS:
            values[labels] = value
        else:
            self.inc("label_overflow", name)

    def observe(self, name: str, value: float, *labels: str, n: int = 1) -> None:
        """Put ``n`` observations of ``value`` (base units) into a histogram."""
        histograms = self._histograms[name]
        histogram = histograms.get(labels)
        if histogram is None:
            histogram = histograms[labels] = _Histogram(self._specs[name].buckets)
        histogram.observe(value, n)

    def provide(self, name: str, values: Callable[[], Mapping[Labels, float]]) -> None:
        """Have a metric's values computed at scrape time (queue lengths, kernel counters, open incidents)."""
        assert name in self._values, name
        self._providers[name] = values

    def know(self, name: str, label_sets: Iterable[Labels]) -> None:
        """Start label sets at 0 that are known only after the configuration was read."""
        for labels in label_sets:
            self._values[name].setdefault(labels, 0)

    def keep(self, name: str, label_sets: Iterable[Labels]) -> None:
        """Of a gauge, these label sets alone go on: what the others stood for is no more."""
        self._values[name] = {labels: self._values[name].get(labels, 0) for labels in label_sets}

    def value(self, name: str, *labels: str) -> float:
        """The current value of a counter or gauge, 0 where nothing was counted."""
        return self.values(name).get(labels, 0)

    def values(self, name: str) -> dict[Labels, float]:
        """All label sets of a counter or gauge with their values."""
        values = dict(self._values[name])
        if name in self._providers:
            values.update(self._providers[name]())
        return values

    def seen(self) -> list[tuple[Spec, Mapping[Labels, Any]]]:
        """All metrics with their values as they stand. Any thread may make a `family` of them."""
        return [
            (spec, self._histograms_now(spec.name) if spec.kind == "histogram" else self.values(spec.name))
            for spec in SPECS
        ]

    def _histograms_now(self, name: str) -> dict[Labels, tuple[list[int], float]]:
        """Counts per bucket up to its bound, and the sum."""
        found = self._histograms[name].items()
        return {labels: (list(itertools.accumulate(one.counts)), one.total) for labels, one in found}


def family(spec: Spec, values: Mapping[Labels, Any]) -> Metric:
    """A Prometheus metric family of what was `seen`."""
    name = PREFIX + spec.name
    if spec.kind == "histogram":
        histogram = HistogramMetricFamily(name, spec.help, labels=spec.labels)
        bounds = [str(bound) for bound in spec.buckets] + ["+Inf"]
        for labels, (counts, total) in values.items():
            histogram.add_metric(labels, buckets=list(zip(bounds, counts, strict=True)), sum_value=total)
        return histogram
    cls = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
    made = cls(name, spec.help, labels=spec.labels)
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made


def process_registry() -> CollectorRegistry:
    """``process_*`` and ``python_*``."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


# --- logs ---------------------------------------------------------------------------------------------------------

#: A queue this long holds a few seconds of the worst log storm; beyond it lines are dropped rather than the loop held.
LOG_QUEUE_SIZE = 10_000


def _to_json(value: Any, **_: Any) -> str:
    return printable_json(msgspec.json.encode(value, enc_hook=str).decode())


def _printable_values(_: Any, __: str, said: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For a terminal: values hold what came over the wire. Only a traceback has lines of its own."""
    for name, value in said.items():
        if isinstance(value, str) and not value.isprintable():
            said[name] = printable(value, keep="\n" if name == "exception" else "")
    return said


def setup_logging(*, json: bool, level: str = "info", stream: Any = None) -> Callable[[], None]:
    """Send structlog through a queue to ``stream`` (stderr), so that a blocked terminal never stops the loop.

    Returns a function that flushes and ends the writing thread.
    """
    lines: queue.Queue[Any] = queue.Queue(LOG_QUEUE_SIZE)
    out = logging.StreamHandler(stream or sys.stderr)
    out.setFormatter(logging.Formatter("%(message)s"))
    listener = logging.handlers.QueueListener(lines, out)
    handler = _DroppingQueueHandler(lines)
    root = logging.getLogger("eventd")
    root.handlers, root.propagate = [handler], False
    root.setLevel(level.upper())
    rendering: list[Any] = (
        [structlog.processors.JSONRenderer(serializer=_to_json)]
        if json
        else [_printable_values, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *rendering,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    listener.start()
    return listener.stop


class _DroppingQueueHandler(logging.handlers.QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self.queue.put_nowait(record)


def get_logger(room: str) -> Any:
    """The logger of one room, e.g. ``receivers``."""
    return structlog.get_logger("eventd." + room)


class RateLimit:
    """Lets one log line per key through every ``every_s`` seconds and says how many were held back since.

    All keys together get ``MAX_LINES`` in that time, so that forged sources do not fill the log; at ``MAX_KEYS`` the
    key unheard for longest is forgotten, which costs at most one early line of that key.
    """

    MAX_KEYS = 4096
    MAX_LINES = 100

    def __init__(self, every_s: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s, self._clock = every_s, clock
        self._seen: dict[Any, tuple[float, int]] = {}
        self._ends_at, self._lines = 0.0, 0

    def allow(self, key: Any) -> int | None:
        """None while the line should be held back, else how many lines of this key were held back before it."""
        now = self._clock()
        next_at, held = self._seen.pop(key, (0.0, 0))
        if now >= self._ends_at:
            self._ends_at, self._lines = now + self._every_s, 0
        allowed = now >= next_at and self._lines < self.MAX_LINES
        self._lines += allowed
        if len(self._seen) >= self.MAX_KEYS:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = (now + self._every_s, 0) if allowed else (next_at, held + 1)
        return held if allowed else None
