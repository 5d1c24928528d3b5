"""How Huawei devices and relays print what they report: kinds of time, layouts, and ways to write keys and values.
Parts of the corpus; eventd is not imported."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from corpus_huawei_events import Field, Said

#: What is printed, and when that is under the clock rule ``iso`` (no offset means UTC).
STAMPS = {
    "date": ("Nov 21 2026 04:00:00", "2026-11-21T04:00:00Z"),
    "date, blank-padded day": ("Nov  1 2026 04:00:00", "2026-11-01T04:00:00Z"),
    "date, unpadded day": ("Mar 8 2017 11:10:47", "2017-03-08T11:10:47Z"),
    "date, zone": ("Nov 21 2026 12:00:00+08:00", "2026-11-21T04:00:00Z"),
    "date, western zone": ("Nov 20 2026 23:30:00-04:30", "2026-11-21T04:00:00Z"),
    "date, zone, DST": ("Jul 08 2026 09:35:45+02:00 DST", "2026-07-08T07:35:45Z"),
    "date, tenths": ("Nov 21 2026 04:00:00.5", "2026-11-21T04:00:00.500000Z"),
    "date, milliseconds": ("Nov 21 2026 04:00:00.460", "2026-11-21T04:00:00.460000Z"),
    "date, two fractions, zone, DST": ("Jul 08 2026 09:35:40.460.1+02:00 DST", "2026-07-08T07:35:40.460000Z"),
    "short date": ("Nov 21 04:00:00", "2026-11-21T04:00:00Z"),
    "short date, last year's": ("Dec 31 23:59:58", "2025-12-31T23:59:58Z"),
    "short date, 25 hours ahead": ("Nov 22 05:00:00", "2026-11-22T05:00:00Z"),
    "short date, 27 hours ahead": ("Nov 22 07:00:06", "2025-11-22T07:00:06Z"),
    "short date, leap day": ("Feb 29 08:00:00", "2024-02-29T08:00:00Z"),
    "format date": ("2026-11-21 04:00:00", "2026-11-21T04:00:00Z"),
    "format date, unpadded, two fractions": ("2018-7-23 01:00:34.270.1", "2018-07-23T01:00:34.270000Z"),
    "format date, slashes": ("2018/10/05 09:52:14", "2018-10-05T09:52:14Z"),
    "format date, zone": ("2026-11-21 12:00:00+08:00", "2026-11-21T04:00:00Z"),
    "since boot": ("0.109391473", None),
    "no such moment": ("Nov 21 2026 14:99:16", None),
    "RFC 3339": ("2026-11-21T04:00:00.123456Z", "2026-11-21T04:00:00.123456Z"),
}
#: Kinds that the info-center of a firewall can be told to print; the others were seen on other devices or are damage.
DOCUMENTED_STAMPS = {name for name in STAMPS if name.startswith(("date", "short date", "format date, zone"))}
HOSTS = ("FW1", "HUAWEI", "USG6300-2", "hq.fw_1", "10.1.2.3", "出口防火墙")

Wrap = Callable[[Field], str]
STYLES: dict[str, Wrap] = {
    "bare": lambda field: f"{field.key}={field.value}",
    "quoted": lambda field: f'{field.key}="{field.value}"',
    "bracketed": lambda field: f"{field.key}=[{field.value}]",
    "reason quoted": lambda field: f'{field.key}="{field.value}"' if "Reason" in field.key else STYLES["bare"](field),
}
#: The pages print no blank behind SeqNum.
SEPARATORS: dict[str, Callable[[Iterable[str]], str]] = {
    "documented": lambda parts: ", ".join(parts).replace(", TunnelIndex", ",TunnelIndex"),
    "blanks": ", ".join,
    "no blanks": ",".join,
}


def keys_as_they_are(fields: Sequence[Field]) -> list[Field]:
    return list(fields)


def with_unknown_keys(fields: Sequence[Field]) -> list[Field]:
    return [*fields[:2], Field("NewKey", "something new"), *fields[2:], Field("Another.Key-2", "x/y")]


def with_empty_values(fields: Sequence[Field]) -> list[Field]:
    """Of the tail, which products that do not support a key print empty or as a hyphen."""
    empty = {"VsysName": "", "InterfaceName": "-", "SlotID": ""}
    return [field._replace(value=empty[field.key], field="") if field.key in empty else field for field in fields]


def shorter(fields: Sequence[Field]) -> list[Field]:
    """Older releases know fewer keys at the end."""
    return [field for field in fields if field.key not in {"VsysName", "InterfaceName", "SlotID", "ConnID", "Role"}]


def backwards(fields: Sequence[Field]) -> list[Field]:
    return list(reversed(fields))


def of_a_wrong_kind(fields: Sequence[Field]) -> list[Field]:
    """What is no number stays as it is, under its own name."""
    wrong = {"TunnelIndex": "n/a", "PeerPort": "isakmp", "RuleNum": "65536 (permit)"}
    return [Field(field.key, wrong[field.key]) if field.key in wrong else field for field in fields]


KEYS = {
    "all": keys_as_they_are,
    "unknown keys": with_unknown_keys,
    "empty values": with_empty_values,
    "fewer keys": shorter,
    "other order": backwards,
    "wrong kinds": of_a_wrong_kind,
}


class Tag(NamedTuple):
    """What a form prints from the tag up to the text, and what that means."""

    text: str
    header: Mapping[str, Any]
    extra: Mapping[str, str] = {}
    slot: int | None = None
    cpu: int | None = None


def _log(said: Said, seq: int) -> tuple[str, dict[str, Any]]:
    return f"%%01{said.module}/{said.level}/{said.mnemonic}(l)[{seq}]:", {"mark": "l", "seq": seq}


def form_a(said: Said, n: int) -> Tag:
    return Tag(*_log(said, n))


def form_a_without_counter(said: Said, n: int) -> Tag:
    mark = ("(l)", " (l)", "(L)", "(s)")[n % 4]
    return Tag(f"%%01{said.module}/{said.level}/{said.mnemonic}{mark}:", {"mark": mark.strip(" ()").lower()})


def form_a_as_documented(said: Said, n: int) -> Tag:
    return Tag(f"%% 01 {said.module}/{said.level}/{said.mnemonic}(l)[{n}]: ", {"mark": "l", "seq": n})


def form_b(said: Said, n: int) -> Tag:
    text, header = _log(said, n)
    if n % 2:
        return Tag(f"{text}slot={n % 8}; ", header, slot=n % 8)
    return Tag(f"{text}Slot={n % 8},Vcpu=1;", header, slot=n % 8, cpu=1)


def form_c(said: Said, n: int) -> Tag:
    return Tag(f"{said.module}/{said.level}/{said.mnemonic}:OID {said.oid} ", {"oid": said.oid})


def form_c_bare_oid(said: Said, n: int) -> Tag:
    return Tag(f"{said.module}/{said.level}/{said.mnemonic}:{said.oid} ", {"oid": said.oid})


def form_c_without_oid(said: Said, n: int) -> Tag:
    return Tag(f"{said.module}/{said.level}/{said.mnemonic}:", {})


def form_d(said: Said, n: int) -> Tag:
    text, header = _log(said, n)
    return Tag(f"{text}OID {said.oid} ", {**header, "oid": said.oid})


def form_e(said: Said, n: int) -> Tag:
    cid = ("0x814f041e", "2160731923")[n % 2]
    return Tag(f"%%01{said.module}/{said.level}/{said.vrp8}(l):CID={cid};", _vrp8(said, "l"), {"CID": cid})


def form_f(said: Said, n: int) -> Tag:
    ids = "CID=0x814f041e-alarmID=0x00f10348"
    text = f"%%01{said.module}/{said.level}/{said.vrp8}_active(l):{ids};"
    return Tag(text, _vrp8(said, "l"), {"CID": "0x814f041e", "alarmID": "0x00f10348"})


def form_g(said: Said, n: int) -> Tag:
    tag, header = f"%%01{said.module}/{said.level}/{said.vrp8}(t):", {**_vrp8(said, "t"), "oid": said.oid}
    if n % 2:
        extra = {"VS": "Admin-VS", "CID": "0x81d80420"}
        return Tag(f"{tag}VS=Admin-VS-CID=0x81d80420-OID={said.oid};", header, extra)
    return Tag(f"{tag}CID=0x814f041e-OID={said.oid};", header, {"CID": "0x814f041e"})


def _vrp8(said: Said, mark: str) -> dict[str, Any]:
    return {"mnemonic": said.vrp8, "mark": mark}


FORMS: dict[str, Callable[[Said, int], Tag]] = {
    "A": form_a,
    "A without counter": form_a_without_counter,
    "A as documented": form_a_as_documented,
    "B": form_b,
    "C": form_c,
    "C, bare OID": form_c_bare_oid,
    "D": form_d,
    "E": form_e,
    "F": form_f,
    "G": form_g,
    "H": form_c,
}
FORMS_WITHOUT_OID = ("A", "A without counter", "A as documented", "B", "C without OID")
FORMS["C without OID"] = form_c_without_oid
#: What stands before the device's own header, or in place of it: printed text with ``{own}`` for ``TIME HOST``.
RELAYS = {
    "": "{own} ",
    "a relay's header": "May  5 22:31:17 172.18.0.129 {own} ",
    "a relay's header with PRI inside": "Nov 21 04:00:01 relay1 <188>{own} ",
    "RFC 5424 around it": "1 2026-11-21T04:00:01Z relay1 huawei - - - {own} ",
    "columns behind the host": "{own} 192.0.2.9 23 4 ",
}
#: Forms that a page or a capture shows for messages of this kind; which release sends which is documented nowhere.
DOCUMENTED_FORMS = {"A", "A without counter", "B", "C", "C, bare OID", "C without OID", "D", "H"}
