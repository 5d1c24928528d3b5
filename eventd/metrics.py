"""Every metric eventd has, as a table. `eventd.telemetry` counts."""

import itertools
from collections.abc import Iterable
from typing import Literal

import msgspec

from eventd.contract import EngineChange
from eventd.errors import SNMP_MIB, RejectReason
from eventd.model import EVENTS, INCIDENT_KINDS, SEVERITIES, TRANSPORTS

PREFIX = "eventd_"

#: Fixed buckets in seconds: from one fast commit to a message that waited out an outage of the far end.
LATENCY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
DURATION_BUCKETS = (30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 43200.0, 86400.0, 604800.0)

#: Why a stream connection was closed by us.
REFUSALS = ("limit", "source_limit", "evicted", "idle", "handshake", "certificate", "not_allowed", "sync_lost")

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
