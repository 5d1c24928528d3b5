"""A small language for timelines, and hypothesis strategies that speak it.

One line is one event: ``<seconds> <verb> [reason] [key=value …]``, for example
``0 stop dpd timeout peer=2.1.1.1 via=trap flow=A``. Lines starting with ``#`` are comments. Verbs are in `VERBS`.
Keys: peer, device, vsys, interface, ifindex, flow, policy, policy_seq, rule, tunnel_index, local, slot, severity,
state (as ``extra``), standby, via (log, trap, snmp), seq, stamp (seconds, the device's clock), change. Every line is a
message of its own (other bytes) unless ``seq`` repeats.
"""

import itertools
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct, field

from eventd.contract import Verdict
from eventd.correlate import Correlator, Settings, twins
from eventd.correlate.packing import KINDS, decode
from eventd.correlate.state import GroupState, State
from eventd.inventory import Inventory, Peer
from eventd.model import Change, Event, Header, Incident, Reason, to_json

#: The first second of every timeline: 2026-01-05 10:00:00 UTC.
EPOCH = datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()
PEER = "2.1.1.1"
DEVICE = "FW1"

VERBS = {
    "stop": "ipsec.tunnel.stop",
    "start": "ipsec.tunnel.start",
    "status": "ipsec.tunnel.status",
    "fail": "ipsec.negotiation.fail",
    "success": "ipsec.negotiation.success",
    "phase1": "ipsec.phase1.established",
    "phase1-down": "ipsec.phase1.down",
    "dpd-ok": "ipsec.dpd.success",
    "dpd-fail": "ipsec.dpd.fail",
    "reset": "ipsec.sa.reset",
    "policy": "ipsec.policy.change",
    "config": "device.config",
    "restart": "device.restart",
    "failover": "device.failover",
    "linkdown": "link.down",
    "linkup": "link.up",
    "heal": "ipsec.flow.selfheal",
    "capacity": "ipsec.capacity",
    "security": "ipsec.security",
    "sla-down": "ipsec.sla.down",
    "sla-poor": "ipsec.sla.degraded",
}

#: Ways a device tells: transport, mark in the header.
VIAS = {"log": ("syslog-udp", "l"), "trap": ("syslog-udp", "t"), "snmp": ("snmp-v2c", None)}


def _reason(name: str, category: str, severity: str, **more: Any) -> Reason:
    return Reason(
        text=name, name=name, known=True, category=category, severity=severity, meaning=f"Meaning of {name}.",
        actions=(f"Step for {name}", "Step for all"), **more,
    )  # fmt: skip


#: A cut of the vendor's catalogue, with its categories and severities.
REASONS = {
    reason.text: reason
    for reason in (
        _reason("dpd timeout", "peer-unreachable", "major"),
        _reason("peer request", "administrative", "warning"),
        _reason("config modify or manual offline", "administrative", "info", expected=True),
        _reason("aaa cut user", "administrative", "info", expected=True, needs_recovery_check=False),
        _reason("phase2 hard expiry", "lifetime", "warning", phase="ipsec"),
        _reason("kick old sa with same flow", "rekey", "info", expected=True),
        _reason("phase1 sa replace", "rekey", "info", expected=True, needs_recovery_check=False),
        _reason("disconnect track nqa/bfd/vrrp", "policy-track", "warning"),
        _reason("receive backup delete info", "sa-desync", "info", expected=True, needs_recovery_check=False),
        _reason("authentication fail", "authentication", "major", code=18, phase="ike"),
        _reason("phase1 proposal mismatch", "configuration", "major", code=1, phase="ike"),
        _reason("phase2 proposal or pfs mismatch", "configuration", "major", code=2, phase="ipsec"),
        _reason("max transmit reached", "peer-unreachable", "major", code=50, phase="ike"),
        _reason("ipsec tunnel number reaches limitation", "capacity", "critical", code=36),
    )
}

_NUMBERS = ("ifindex", "policy_seq", "rule", "tunnel_index", "seq")
_PLAIN = ("vsys", "interface", "flow", "policy", "local", "slot", "severity")


def parse(line: str, number: int) -> tuple[float, Event]:
    """One line of a timeline: seconds since `EPOCH`, and the event."""
    seconds, verb, *rest = line.split()
    pairs = dict(word.split("=", 1) for word in rest if "=" in word)
    text = " ".join(word for word in rest if "=" not in word)
    facts: dict[str, Any] = {name: int(pairs.pop(name)) for name in _NUMBERS if name in pairs}
    # one object for each word, as handlers have them: what is a default is left out of saved bytes by being the same
    facts |= {name: sys.intern(pairs.pop(name)) for name in _PLAIN if name in pairs}
    transport, mark = VIAS[pairs.pop("via", "log")]
    seq = facts.pop("seq", number)
    peer = pairs.pop("peer", PEER)
    stamp = pairs.pop("stamp", None)
    device = pairs.pop("device", DEVICE)
    standby = pairs.pop("standby", "no") == "yes"
    return float(seconds), Event(
        event=VERBS[verb],
        vendor="huawei",
        transport=transport,
        received_at=datetime.fromtimestamp(EPOCH + float(seconds), UTC),
        device_time=None if stamp is None else datetime.fromtimestamp(EPOCH + float(stamp), UTC),
        source="192.0.2.1",
        device=device,
        peer=None if peer == "none" else peer,
        header=Header(mnemonic=VERBS[verb] if mark else None, mark=mark, seq=seq if mark else None),
        reason=(REASONS.get(text) or Reason(text=text)) if text else None,
        extra=pairs,
        standby=standby,
        raw=f"{transport} {mark} {seq} {verb} {text} {device} {peer}",
        **facts,
    )


def timeline(text: str) -> list[tuple[float, Event]]:
    """All lines of a timeline, in the order written."""
    lines = [line.strip() for line in text.splitlines()]
    return [parse(line, number) for number, line in enumerate(lines) if line and not line.startswith("#")]


class Story(Struct):
    """What became of a timeline. ``until`` is when virtual time stopped, seconds since `EPOCH`."""

    correlator: Correlator
    changes: list[tuple[float, Change]] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    duplicates: int = 0
    saved: dict[str, bytes] = field(default_factory=dict)

    def take(self, at: float, verdict: Verdict) -> None:
        """Add one verdict, and save what it touched as the store would."""
        self.changes += [(at, change) for change in verdict.changes]
        self.suppressed += verdict.suppressed
        self.duplicates += verdict.duplicate
        for key in verdict.touched:
            blob = self.correlator.dump(key)
            if blob is None:
                self.saved.pop(key, None)
            else:
                self.saved[key] = blob

    @property
    def told(self) -> list[str]:
        """Changes somebody is told: ``seconds what kind severity``, seconds by the incident's own clock."""
        return [_line(change) for _, change in self.changes if change.notify]

    @property
    def last(self) -> Incident:
        """The incident as the last change left it."""
        return self.changes[-1][1].incident

    @property
    def final(self) -> dict[str, Incident]:
        """Every incident as it stood at the end, by id."""
        return {change.incident.id: change.incident for _, change in self.changes}

    def picture(self) -> list[bytes]:
        """All incidents at the end, as bytes, in a fixed order."""
        return [to_json(self.final[ident]) for ident in sorted(self.final)]


def _line(change: Change) -> str:
    incident = change.incident
    return f"{incident.updated_at.timestamp() - EPOCH:g} {change.what} {incident.kind} {incident.severity}"


def inventory(**peer: Any) -> Inventory:
    """An inventory of one peer, the one of the timelines."""
    return Inventory(peers=[Peer(address=PEER, **peer)]) if peer else Inventory()


def tell(
    text: str | list[tuple[float, Event]],
    until: float | None = None,
    settings: Settings | None = None,
    known: Inventory | None = None,
    ticks: tuple[float, ...] = (),
    restarts: tuple[int, ...] = (),
) -> Story:
    """Run a timeline. Time then goes on to ``until`` (default: 120 s after the last line).

    ``ticks`` are extra calls of `tick`; before the events whose positions are in ``restarts`` the correlator is thrown
    away and loaded from what was saved.
    """
    events = timeline(text) if isinstance(text, str) else text
    settings, known = settings or Settings(), known or inventory()
    story = Story(Correlator(settings, known, "https://eventd.example"))
    for position, (seconds, event) in enumerate(events):
        for extra in sorted(ticks):
            if (events[position - 1][0] if position else 0) <= extra <= seconds:
                story.take(extra, story.correlator.tick(EPOCH + extra))
        if position in restarts:
            restart(story, settings, known)
        story.take(seconds, story.correlator.apply(event, EPOCH + seconds))
    end = until if until is not None else (events[-1][0] if events else 0) + 120
    story.take(end, story.correlator.tick(EPOCH + end))
    return story


def lasting(saved: Mapping[str, bytes], before: float = float("inf")) -> dict[str, State | bytes]:
    """What was saved, without the facts last told ``before`` that time: those fade, when is all the same."""
    found: dict[str, State | bytes] = {}
    for key, blob in saved.items():
        if key.partition("|")[0] not in KINDS:
            found[key] = blob  # a silence
            continue
        state = found[key] = decode(key, blob)
        if not isinstance(state, GroupState):
            twins.forget(state.facts, before)
    return found


def restart(story: Story, settings: Settings, known: Inventory) -> None:
    """A new correlator that knows only what was saved."""
    story.correlator = Correlator(settings, known, "https://eventd.example")
    story.correlator.load(story.saved.items())


# --- hypothesis -----------------------------------------------------------------------------------------------------

_SAID = (
    "stop dpd timeout",
    "stop peer request",
    "stop config modify or manual offline",
    "stop kick old sa with same flow",
    "stop phase1 sa replace",
    "stop phase2 hard expiry",
    "stop something new",
    "start",
    "start",
    "start",
    "fail authentication fail",
    "fail max transmit reached",
    "fail phase2 proposal or pfs mismatch",
    "phase1",
    "success",
    "reset",
    "heal",
    "linkdown interface=GigabitEthernet0/0/1",
    "restart state=done",
    "capacity severity=major",
    "capacity severity=major state=clear",
    "security severity=warning",
)
_WHERE = (
    "",
    "flow=A",
    "flow=B",
    "peer=2.1.1.2",
    "interface=GigabitEthernet0/0/1 policy_seq=10",
    "via=snmp",
    "via=trap flow=A",
)
_GAPS = (0.5, 1.0, 2.0, 4.0, 7.0, 14.0, 16.0, 31.0, 65.0, 301.0, 901.0, 4000.0)


@st.composite
def timelines(draw: st.DrawFn, most: int = 25, ways: bool = True) -> list[tuple[float, Event]]:
    """A plausible mess on up to two peers of one device, in order of arrival; without ``ways`` all by log."""
    where_from = [where for where in _WHERE if ways or "via=" not in where]
    size = draw(st.integers(1, most))
    gaps = draw(st.lists(st.sampled_from(_GAPS), min_size=size, max_size=size))
    said = draw(st.lists(st.tuples(st.sampled_from(_SAID), st.sampled_from(where_from)), min_size=size, max_size=size))
    lines = zip(itertools.accumulate(gaps), said, strict=True)
    return [parse(f"{at} {what} {where}", number) for number, (at, (what, where)) in enumerate(lines)]
