"""Builds `tests/golden/corpus/h3c.jsonl`: H3C messages in every layout of Comware, as `corpus_huawei.py` does.

The layouts are those of the F1000-E, SecBlade and MSR 5600 manuals, the sentences those of the log books of Comware 7
as they are recalled and transcribed by others: no line is labelled ``template`` whose sentence nobody could look up.
"""

import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from corpus_reasons import H3C_NEGOTIATION, H3C_OFFLINE, Row

FILE = Path(__file__).parent.parent / "golden/corpus/h3c.jsonl"
OWN, PEER = "198.51.100.1", "203.0.113.7"
BOOK = "Comware 7 System Log Messages Reference (wording recalled)"

#: What is printed, and when that is under the clock rule ``iso``.
STAMPS = {
    "date": ("Nov 21 04:00:00 2026", "2026-11-21T04:00:00Z"),
    "date, unpadded day": ("Oct 9 14:59:04 2009", "2009-10-09T14:59:04Z"),
    "date, blank-padded day": ("Nov  1 04:00:00 2026", "2026-11-01T04:00:00Z"),
    "ISO": ("2026-11-21T04:00:00", "2026-11-21T04:00:00Z"),
    "ISO, zone": ("2026-11-21T12:00:00+08:00", "2026-11-21T04:00:00Z"),
    "no year": ("Nov 21 04:00:00", "2026-11-21T04:00:00Z"),
    "since boot": ("0.109391473", None),
    "no such moment": ("Nov 31 04:00:00 2026", None),
}
CONSOLE_STAMP = ("Nov 21 04:00:00:123 2026", "2026-11-21T04:00:00.123000Z")
HOSTS = ("FW-H3C", "H3C", "sw_2.hq", "10.1.2.3", "总部防火墙")


class Source(NamedTuple):
    """What may stand between the tag and the text, and what that means."""

    text: str = ""
    extra: Mapping[str, str] = {}
    slot: int | None = None


SOURCES = (
    Source(),
    Source(f"-DevIP={OWN}; ", {"DevIP": OWN}),
    Source("-MDC=1; ", {"MDC": "1"}),
    Source("-MDC=1; -Context=2; -Slot=3; ", {"MDC": "1", "Context": "2"}, 3),
    Source("-Slot=2; ", {}, 2),
)


class Said(NamedTuple):
    """An event in the words of the log book. ``ends``: the line names both ends of an SA without saying whose."""

    name: str
    module: str
    level: int
    mnemonic: str
    text: str
    expected: Mapping[str, Any]
    ends: bool = False
    source: str = BOOK
    label: str = "made"


def _reasoned(text: str, row: Row) -> dict[str, Any]:
    reason = {"text": text, "name": row.name, "code": None, "known": True, "category": row.category}
    return {"reason": reason, "severity": row.severity}


def _pair(local: str = OWN, peer: str = PEER) -> str:
    return f"The SA's source address is {local}, and its destination address is {peer}."


IKE = {"local": OWN, "peer": PEER}
PHASE_1 = {**IKE, "extra": {"phase": "1"}}
PHASE_2 = {**IKE, "extra": {"phase": "2"}}


def failed(phase: int, text: str) -> Said:
    expected = {"event": "ipsec.negotiation.fail", **_reasoned(text, H3C_NEGOTIATION[text.lower()])}
    said = f"Failed to establish phase {phase} SA for the reason of {text}. {_pair()}"
    ends = PHASE_1 if phase == 1 else PHASE_2
    return Said(f"phase {phase} {text}", "IKE", 6, f"IKE_P{phase}_SA_ESTABLISH_FAIL", said, {**expected, **ends})


def ended(phase: int, text: str) -> Said:
    event = "ipsec.phase1.down" if phase == 1 else "ipsec.tunnel.stop"
    said = f"The IKE phase {phase} SA was deleted for the reason of {text}. {_pair()}"
    expected = {"event": event, **_reasoned(text, H3C_OFFLINE[text.lower()]), **(PHASE_1 if phase == 1 else PHASE_2)}
    return Said(f"phase {phase} ended {text}", "IKE", 6, f"IKE_P{phase}_SA_TERMINATE", said, expected)


def _sa(outbound: bool, n: int) -> tuple[str, dict[str, Any]]:
    """Either direction of the SAs of one tunnel."""
    source, target = (OWN, PEER) if outbound else (PEER, OWN)
    protocol, spi = ("ESP", "AH")[n % 3 == 2], (str(1001 + n), f"0x{3000 + n:x}")[n % 2]
    extra = {"protocol": protocol, "SPI": spi, "direction": "outbound" if outbound else "inbound"}
    said = f"The SA's source address is {source}, destination address is {target}, protocol is {protocol}"
    return f"{said}, and SPI is {spi}.", {**IKE, "extra": extra}


def deleted(text: str, n: int) -> Said:
    said, ends = _sa(n % 2 == 0, n)
    expected = {"event": "ipsec.tunnel.stop", **_reasoned(text, H3C_OFFLINE[text.lower()]), **ends}
    name = f"SA {ends['extra']['direction']} {text}"
    said = f"The IPsec SA was deleted for the reason of {text}. {said}"
    return Said(name, "IPSEC", 6, "IPSEC_SA_TERMINATE", said, expected, ends=True)


def established(n: int) -> Said:
    said, ends = _sa(n % 2 == 0, n)
    expected = {"event": "ipsec.tunnel.start", "severity": "info", **ends}
    return Said(
        f"established {n}", "IPSEC", 6, "IPSEC_SA_ESTABLISH", f"Established IPsec SA. {said}", expected, ends=True
    )


ITEMS = {
    "Role": ("Responder", "role", "responder"),
    "Local IP": (OWN, "local", OWN),
    "Local ID type": ("IPV4_ADDR", None, None),
    "Local ID": (OWN, None, None),
    "Local port": ("500", None, None),
    "Retransmissions": ("0", None, None),
    "Remote IP": (PEER, "peer", PEER),
    "Remote ID type": ("IPV4_ADDR", None, None),
    "Remote ID": (PEER, None, None),
    "Remote port": ("4500", "peer_port", 4500),
    "Recived retransmissions": ("3", None, None),
    "Inside VPN instance": ("vpn1", None, None),
    "Connection ID": ("7", "conn_id", 7),
    "Tunnel ID": ("9", "tunnel_index", 9),
    "IKE profile name": ("branch", None, None),
}


def listed(text: str, separator: str) -> Said:
    """The list of late Comware 7, whose lines relays write in ways of their own."""
    items = [f"{name}: {value}." for name, (value, _, _) in ITEMS.items()]
    head = f"Failed to establish phase 1 SA in main mode IKE_P1_STATE_SEND1 state.{separator}Reason: {text}."
    expected = {field: means for _, field, means in ITEMS.values() if field}
    extra = {name: value for name, (value, field, _) in ITEMS.items() if not field} | {"phase": "1"}
    expected |= {"event": "ipsec.negotiation.fail", **_reasoned(text, H3C_NEGOTIATION[text]), "extra": extra}
    said = separator.join([head, "SA information:", *items])
    return Said(f"list {separator!r} {text}", "IKE", 6, "IKE_P1_SA_ESTABLISH_FAIL", said, expected)


def neighbours() -> Iterator[Said]:
    """Interfaces, in the words of captured lines of V5 and V7."""
    for state, event, severity in (("down", "link.down", "warning"), ("up", "link.up", "info")):
        place = {"event": event, "severity": severity}
        yield Said(
            f"physical {state}", "IFNET", 3, "PHY_UPDOWN",
            f"Physical state on the interface GigabitEthernet1/0/1 changed to {state}.",
            {**place, "interface": "GigabitEthernet1/0/1"}, source="captured V7 lines, with other interfaces",
        )  # fmt: skip
        yield Said(
            f"link {state}", "IFNET", 3, "LINK_UPDOWN", f"Ethernet0/6 link status is {state.upper()}.",
            {**place, "interface": "Ethernet0/6"}, source="F1000-E manual, page 72", label="template",
        )  # fmt: skip


# --- layouts ----------------------------------------------------------------------------------------------------------

#: A line of time and host name, ``MODULE/level/MNEMONIC``, and text.
Layout = Callable[[str, str, str], str]
SERIAL = 17
LAYOUTS: dict[str, Layout] = {
    "log host": lambda own, tag, text: f"{own} %%10{tag}: {text}",
    "log host, V5": lambda own, tag, text: f"{own} %%10{tag}(l): {text}",
    "log host, V5, blank": lambda own, tag, text: f"{own} %%10 {tag}(l): {text}",
    "log host, cmcc": lambda own, tag, text: f"{own} %10{tag}: {text}",
    "log host, unicom": lambda own, tag, text: f"{own} 10{tag.rpartition('/')[0]}/{SERIAL}: {text}",
    "console": lambda own, tag, text: f"%{own} {tag}: {text}",
    "behind a relay": lambda own, tag, text: f"Nov 21 04:00:01 relay1 {own} %%10{tag}: {text}",
}


def line(said: Said, layout: str, n: int) -> dict[str, Any]:
    """One line and what it must become; ``n`` turns every other dimension on by one."""
    stamp_kind, host = list(STAMPS)[n % len(STAMPS)], HOSTS[n % len(HOSTS)]
    if layout in {"behind a relay", "log host, unicom"} and stamp_kind == "since boot":  # not told from a text
        stamp_kind = "date"
    printed, when = CONSOLE_STAMP if layout == "console" else STAMPS[stamp_kind]
    source = SOURCES[0] if layout == "console" else SOURCES[n // 2 % len(SOURCES)]
    pri = None if layout == "console" else (184 + said.level, 160 + said.level)[n % 2]
    text = LAYOUTS[layout](f"{printed} {host}", f"{said.module}/{said.level}/{said.mnemonic}", source.text + said.text)
    header = {"pri": pri, "module": said.module, "level": said.level, "mnemonic": said.mnemonic}
    if "V5" in layout:
        header["mark"] = "l"
    extra = {**said.expected.get("extra", {}), **source.extra}
    if layout == "log host, unicom":  # which has a number in place of the mnemonic
        header["mnemonic"], extra = None, {**extra, "serial": str(SERIAL), "recognised_by": "text"}
    if said.ends:
        extra["ends"] = "source" if "DevIP" in source.extra else "order"
    expected = {"vendor": "h3c", **said.expected, "hostname": host, "device": host, "device_time": when}
    expected |= {"slot": source.slot, "header": header} | ({"extra": extra} if extra else {})
    return {
        "case": f"h3c {said.name}; {layout}; {stamp_kind}; {source.text.strip() or 'no source'}",
        "label": said.label if layout.startswith("log host, V5") and not source.text else "made",
        "source": said.source,
        "line": text if pri is None else f"<{pri}>{text}",
        "expected": {key: value for key, value in expected.items() if value is not None},
    }


P1_ENDED = (
    "DPD timeout", "new IKE SA had been negotiated", "the IKE SA is redundant",
    "IKE SA deletion message received from peer",
)  # fmt: skip
P2_ENDED = (
    "the SA expired", "IPsec SA deletion message received from peer", "new P2 SA had been negotiated",
    "all P2 SAs were deleted", "the P2 SA was deleted by SPID", "the P2 SA was deleted by IFIndex",
    "the P2 SA was deleted by SA index",
)  # fmt: skip
SA_DELETED = ("SA idle timeout", "the reset command was executed", "internal event", "configuration change")
P1_FAILED = (
    "no matching proposal", "invalid ID information", "unavailable certificate", "unsupported DOI",
    "unsupported situation", "invalid proposal syntax", "invalid SPI", "invalid protocol ID", "invalid certificate",
    "authentication failure", "invalid message header", "invalid transform ID", "malformed payload",
    "retransmission timeout", "incorrect configuration",
)  # fmt: skip
P2_FAILED = (
    "invalid key information", "invalid ID information", "unavailable proposal", "invalid hash information",
    "retransmission timeout",
)  # fmt: skip
SEPARATORS = ("\n", "\r\n", "#012", " - ")


def chosen() -> Iterator[Said]:
    """Every reason where the log book has it."""
    yield from (ended(1, text) for text in P1_ENDED for _ in range(3))
    yield from (ended(2, text) for text in P2_ENDED for _ in range(3))
    yield from (deleted(text, n) for text in SA_DELETED for n in range(6))
    yield from (established(n) for n in range(12))
    yield from (failed(1, text) for text in P1_FAILED for _ in range(2))
    yield from (failed(2, text) for text in P2_FAILED for _ in range(2))
    yield from (
        listed(text, separator) for separator in SEPARATORS for text in ("no matching proposal", "malformed payload")
    )
    yield from (said for said in neighbours() for _ in range(4))


def build() -> Iterator[dict[str, Any]]:
    """All lines."""
    layouts = itertools.cycle(LAYOUTS)
    seen: set[str] = set()
    for n, said in enumerate(chosen()):
        layout = next(layouts)
        if said.module == "IFNET" and layout == "log host, unicom":
            layout = "log host"  # nothing but its mnemonic tells what it is
        row = line(said, layout, n)
        if row["case"] not in seen:
            seen.add(row["case"])
            yield row


def text() -> str:
    """The whole file."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in build())


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{sum(1 for _ in build())} lines\n")
