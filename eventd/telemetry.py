"""Every metric eventd has, and its log set-up. Pure rooms neither count nor log: they return, and the shell counts.

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
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Literal

import msgspec
import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

import eventd
from eventd.contract import EngineChange
from eventd.errors import SNMP_MIB, RejectReason
from eventd.model import EVENTS, INCIDENT_KINDS, SEVERITIES, TRANSPORTS
from eventd.printable import printable, printable_json

PREFIX = "eventd_"

#: Fixed buckets in seconds: from one fast commit to a message that waited out an outage of the far end.
LATENCY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATION_BUCKETS = (30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 604800.0)

#: Why a stream connection was closed by us.
REFUSALS = ("limit", "source_limit", "evicted", "idle", "handshake", "certificate", "not_allowed", "sync_lost")

#: Label sets beyond this per metric are counted under ``other``: a hostile sender must not fill the memory of
#: eventd or of Prometheus.
MAX_LABEL_SETS = 10_000

Labels = tuple[str, ...]


class Spec(msgspec.Struct, frozen=True):
    """One metric: its name without prefix (and without ``_total``), help text, label names and known label sets."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    known: tuple[Labels, ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS


def _each(*values: Iterable[str]) -> tuple[Labels, ...]:
    return tuple(itertools.product(*values))


SPECS = (
    Spec("received", "counter", "Messages received.", ("transport",), _each(TRANSPORTS)),
    Spec("parsed", "counter", "Messages that are well formed and accepted.", ("transport",), _each(TRANSPORTS)),
    Spec(
        "rejected",
        "counter",
        "Messages refused or malformed, by reason; their raw bytes are kept.",
        ("transport", "reason"),
        _each(TRANSPORTS, RejectReason),
    ),
    Spec("queued", "gauge", "Messages received and not yet looked at.", ("transport",), _each(TRANSPORTS)),
    Spec("events", "counter", "Decoded events.", ("event",), _each(EVENTS)),
    Spec("unrecognised", "counter", "Well-formed messages of no known event.", ("transport",), _each(TRANSPORTS)),
    Spec("correlated", "counter", "Events judged.", known=((),)),
    Spec("duplicates", "counter", "Events that were one more witness of a fact already counted.", known=((),)),
    Spec("pending", "gauge", "Events decoded and not yet judged.", known=((),)),
    Spec("notifications_enqueued", "counter", "Notifications put into the outbox.", ("channel",)),
    Spec("notifications", "counter", "Notifications that left the outbox, by outcome.", ("channel", "outcome")),
    Spec("outbox_pending", "gauge", "Notifications waiting in the outbox.", ("channel",)),
    Spec(
        "outbox_oldest_timestamp_seconds",
        "gauge",
        "Since when the oldest notification waits that should have been told; 0 where none does.",
        ("channel",),
    ),
    Spec(
        "outbox_dead",
        "gauge",
        "Notifications that were given up and that nobody has sent again or dropped.",
        ("channel",),
    ),
    Spec("notification_failures", "counter", "Failed tries to deliver.", ("channel", "reason")),
    Spec(
        "channel_failing_timestamp_seconds",
        "gauge",
        "Since when the messages of a channel fail; 0 while they are taken.",
        ("channel",),
    ),
    Spec("notification_refreshes", "counter", "Repeated sendings of current state.", ("channel", "outcome")),
    Spec(
        "heartbeats",
        "counter",
        "Heartbeats due: sent, failed (not taken by all who wait for it), or withheld because a stage stands still.",
        ("outcome",),
        _each(("sent", "failed", "withheld")),
    ),
    Spec("kernel_drops", "counter", "Datagrams the kernel dropped on our sockets.", ("transport",)),
    Spec(
        "host_udp_errors",
        "counter",
        "Datagrams that all UDP sockets of this machine lost, by counter of the kernel.",
        ("ip", "counter"),
        _each(("4", "6"), ("InErrors", "RcvbufErrors", "MemErrors")),
    ),
    Spec("receive_buffer_bytes", "gauge", "Effective receive buffer of a socket.", ("transport", "listen")),
    Spec("receive_buffer_requested_bytes", "gauge", "Receive buffer asked for.", ("transport", "listen")),
    Spec("connections", "gauge", "Open stream connections.", ("transport",), _each(("syslog-tcp", "syslog-tls"))),
    Spec(
        "connections_refused",
        "counter",
        "Stream connections closed by us, by reason.",
        ("transport", "reason"),
        _each(("syslog-tcp", "syslog-tls"), REFUSALS),
    ),
    Spec("frame_errors", "counter", "Damaged frames on streams that cost no message.", ("transport", "reason")),
    Spec("replies", "counter", "Answers to informs, by outcome.", ("outcome",), (("sent",), ("failed",))),
    Spec("reasons", "counter", "Reasons given by devices.", ("event", "category", "reason")),
    Spec("suppressed", "counter", "Events that a rule decided not to tell anyone about.", ("rule",)),
    Spec(
        "incidents_open",
        "gauge",
        "Incidents open now.",
        ("kind", "severity"),
        _each(INCIDENT_KINDS, SEVERITIES),
    ),
    Spec("incidents_opened", "counter", "Incidents opened.", ("kind",), _each(INCIDENT_KINDS)),
    Spec(
        "incident_duration_seconds",
        "histogram",
        "From opening to resolution.",
        known=((),),
        buckets=DURATION_BUCKETS,
    ),
    Spec(
        "peer_up",
        "gauge",
        "1 while the peer has a tunnel, 0 while it has none.",
        ("device", "peer", "peer_name", "site"),
    ),
    Spec(
        "peer_state_changes",
        "counter",
        "Times a peer went up or down; its first known state is none.",
        ("device", "peer"),
    ),
    Spec("label_overflow", "counter", "Samples folded into `other` by the series cap.", ("metric",)),
    Spec("device_last_message_timestamp_seconds", "gauge", "When a device was last heard.", ("device",)),
    Spec("device_clock_skew_seconds", "gauge", "Clock of a device less ours.", ("device",)),
    Spec(
        "pipeline_latency_seconds", "histogram", "From the socket to the end of the step that judged it.", known=((),)
    ),
    Spec("notification_latency_seconds", "histogram", "From the verdict to the far end's answer.", ("channel",)),
    Spec("store_commit_seconds", "histogram", "Time of one commit.", known=((),)),
    Spec("store_commit_failures", "counter", "Commits that failed and were tried again.", known=((),)),
    Spec(
        "store_damage",
        "counter",
        "Starts that found an unreadable end of the store's write-ahead log, by what it means.",
        ("what",),
        _each(("unfinished", "last_commit", "later_commits", "header")),
    ),
    Spec(
        "internal_errors",
        "counter",
        "Defects of eventd that cost one message or step, by room; the log has the traceback.",
        ("where",),
        _each(("correlate", "timers", "state", "route", "reply", "store", "chore", "receive", "loop", "stream")),
    ),
    Spec("stream_clients", "gauge", "Clients that listen to /api/v1/stream.", known=((),)),
    Spec(
        "stream_refused",
        "counter",
        "Clients of /api/v1/stream turned away or dropped, by reason.",
        ("reason",),
        (("full",), ("slow",)),
    ),
    Spec("store_size_bytes", "gauge", "Size of the database files.", known=((),)),
    Spec(
        "snmp_usm_errors",
        "counter",
        "SNMPv3 messages refused by the user-based security model.",
        ("reason",),
        _each(
            (
                "unknown_user",
                "unknown_engine",
                "wrong_digest",
                "level_too_low",
                "unsupported_level",
                "not_in_time_window",
                "replayed",
                "decryption_error",
            )
        ),
    ),
    Spec(
        "sources_with_several_hostnames",
        "gauge",
        "Source addresses that used several host names within an hour: relays, whose traps cannot be told apart.",
        known=((),),
    ),
    Spec(
        "hostnames_refused",
        "counter",
        "Messages under host names that are more than one address may make up; they count as that address's own.",
        known=((),),
    ),
    Spec("recorded", "counter", "Messages written to the recording.", known=((),)),
    Spec(
        "record_dropped",
        "counter",
        "Messages missing in the recording, by reason.",
        ("reason",),
        _each(("queue_full", "write_failed")),
    ),
    Spec(
        "snmp_mib",
        "counter",
        "What a standard SNMP entity counts, by object of SNMPv2-MIB, SNMP-MPD-MIB and SNMP-USER-BASED-SM-MIB.",
        ("object",),
        _each(("snmpInPkts", *SNMP_MIB)),
    ),
    Spec("snmp_reports", "counter", "SNMPv3 Reports due, by outcome.", ("outcome",), (("sent",), ("limited",))),
    Spec(
        "snmp_engine_changes",
        "counter",
        "What was seen of SNMPv3 engines: first contact, reboots, and what should not happen.",
        ("change",),
        _each(EngineChange),
    ),
    Spec("snmp_engines", "gauge", "SNMPv3 engines known.", known=((),)),
    Spec("snmp_engine_boots", "gauge", "Our own snmpEngineBoots.", known=((),)),
    Spec("log_suppressed", "counter", "Log lines held back by the rate limit.", known=((),)),
    Spec("config_last_reload_successful", "gauge", "1 if the last reload was taken.", known=((),)),
    Spec("config_last_reload_success_timestamp_seconds", "gauge", "When a configuration was last taken.", known=((),)),
    Spec("build_info", "gauge", "Version.", ("version",)),
)


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

    def families(self) -> Iterator[Metric]:
        """All metrics as they stand, as Prometheus metric families. These are made when asked for, by any thread."""
        seen = [
            (spec, self._histograms_now(spec.name) if spec.kind == "histogram" else self.values(spec.name))
            for spec in SPECS
        ]
        return (_family(spec, values) for spec, values in seen)

    def _histograms_now(self, name: str) -> dict[Labels, tuple[list[int], float]]:
        """Counts per bucket up to its bound, and the sum."""
        found = self._histograms[name].items()
        return {labels: (list(itertools.accumulate(one.counts)), one.total) for labels, one in found}


def _family(spec: Spec, values: Mapping[Labels, Any]) -> Metric:
    name = PREFIX + spec.name
    if spec.kind == "histogram":
        histogram = HistogramMetricFamily(name, spec.help, labels=spec.labels)
        bounds = [str(bound) for bound in spec.buckets] + ["+Inf"]
        for labels, (counts, total) in values.items():
            histogram.add_metric(labels, buckets=list(zip(bounds, counts, strict=True)), sum_value=total)
        return histogram
    cls = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
    family = cls(name, spec.help, labels=spec.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


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
