"""Syslog messages in every layout that Huawei and H3C devices and the relays before us were seen to use.

Forms ``A`` to ``J`` and the time stamps are those of the info-center (``info-center timestamp``, ``info-center
loghost`` in the USG and S-series command references); ``rfc5424`` and ``rfc3164`` are what a relay makes of form C.
``comware``, ``unicom`` and ``cmcc`` are the three layouts of H3C towards a log host, ``comware-console`` is what its
console and log buffer show (MSR 5600 and F1000-E manuals).
"""

import ipaddress
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from eventd.contract import SyslogTemplate, WireField
from eventd.sender.templates import SendError

#: local7: what nearly every captured Huawei message carries.
DEFAULT_FACILITY = 23
#: Component id as captured from a firewall; 32 bits, meaning undocumented.
COMPONENT = "0x814f041e"
#: Alarm id of IPSECTUNNELSTOP on V300 AR (ALM-4285734913); no template knows more, and nobody decodes by it.
ALARM = "0xFF732001"
#: Name that a relay puts before the line, and the process id of the cloud gateway's sample line.
RELAY, PROCESS_ID = "relay", 30085


class Layout(Struct, frozen=True, kw_only=True):
    """How a message is to look. ``form`` None means the usual one of the template, ``timestamp`` None that of the
    form."""

    form: str | None = None
    timestamp: str | None = None
    value_style: str = "bare"
    hostname: str = "FW1"
    facility: int = DEFAULT_FACILITY


# --- time stamps ---------------------------------------------------------------------------------------------------


def _offset(when: datetime) -> str:
    minutes = int((when.utcoffset() or timedelta()).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _date(when: datetime) -> str:
    return f"{when:%b} {when.day:2} {when:%Y %H:%M:%S}"


def _boot(when: datetime) -> str:
    """Milliseconds since start as two 32-bit halves; the device is taken to have started on the eve, at midnight."""
    since = when - when.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return f"0.{int(since.total_seconds() * 1000)}"


#: ``when`` is shown in its own zone.
TIMESTAMPS: dict[str, Callable[[datetime], str]] = {
    "date": _date,
    "date-zone": lambda when: _date(when) + _offset(when),
    "dst": lambda when: f"{_date(when)}{_offset(when)} DST",
    "subsecond": lambda when: f"{_date(when)}.{when.microsecond // 1000:03}.1",
    "format-date": lambda when: f"{when:%Y-%m-%d %H:%M:%S}",
    "slashes": lambda when: f"{when:%Y/%m/%d %H:%M:%S}",
    "short-date": lambda when: f"{when:%b} {when.day:2} {when:%H:%M:%S}",
    "boot": _boot,
    "rfc3339": lambda when: when.isoformat(timespec="microseconds"),
    "none": lambda _: "",
    "year-last": lambda when: f"{when:%b} {when.day:2} {when:%H:%M:%S %Y}",
    "year-last-ms": lambda when: f"{when:%b} {when.day:2} {when:%H:%M:%S}:{when.microsecond // 1000:03} {when:%Y}",
    "iso": lambda when: f"{when:%Y-%m-%dT%H:%M:%S}",
}
#: Those that only Comware prints, or that it does not print.
_COMWARE_ONLY = ("year-last", "year-last-ms", "iso")
_COMWARE = ("year-last", "iso", "short-date", "boot", "none")
_INFO_CENTER = tuple(kind for kind in TIMESTAMPS if kind not in _COMWARE_ONLY)

# --- values --------------------------------------------------------------------------------------------------------


def _is_plain(value: str) -> bool:
    """Numbers and addresses stay bare in the one captured line that quotes its reason."""
    if value.isdecimal():
        return True
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


VALUE_STYLES: dict[str, Callable[[str], str]] = {
    "bare": lambda value: value,
    "quoted": lambda value: value if _is_plain(value) else f'"{value}"',
    "bracketed": lambda value: f"[{value}]",
}


def body(template: SyslogTemplate, values: Mapping[str, str], style: str) -> str:
    """``text (key=value, key=value)``, where keys without value and default are left out; or the filled pattern."""
    if template.pattern:
        return template.pattern.format_map({field.field: _given(field, values) or "" for field in template.fields})
    dress = VALUE_STYLES[style]
    pairs = [f"{field.key}={dress(value)}" for field in template.fields if (value := _given(field, values)) is not None]
    return f"{template.text} ({', '.join(pairs)})" if pairs else template.text


def _given(field: WireField, values: Mapping[str, str]) -> str | None:
    value = values.get(field.field)
    return field.default if value is None else value


# --- forms ---------------------------------------------------------------------------------------------------------


class _Parts(Struct, frozen=True):
    """One message in pieces; ``tag`` is ``MODULE/level/MNEMONIC``, ``plain`` the same without a suffix, ``state`` that
    suffix: ``active`` or ``clear``."""

    pri: str
    head: str  # time stamp and host name, each followed by a blank
    stamp: str
    host: str
    tag: str
    plain: str
    state: str
    seq: int
    oid: str
    text: str


def _with_oid(parts: _Parts) -> str:
    return f"OID {parts.oid} {parts.text}" if parts.oid else parts.text


def _vrp5_trap(parts: _Parts) -> str:
    return f"{parts.head}{parts.tag}:{_with_oid(parts)}"


def _trap_id(parts: _Parts) -> str:
    return f"CID={COMPONENT}-OID={parts.oid}" if parts.oid else f"CID={COMPONENT}"


def _alarm_log(parts: _Parts) -> str:
    cleared = "-clearType=service_resume" if parts.state == "clear" else ""
    ids = f"CID={COMPONENT}-alarmID={ALARM}{cleared}"
    return f"{parts.pri}{parts.head}%%01{parts.plain}_{parts.state}(l):{ids};{parts.text}"


def _console(parts: _Parts) -> str:
    state = "active" if parts.state == "active" else "cleared"  # the word for the end is a guess
    kind = f"#{parts.seq}/{state}/{parts.plain.rpartition('/')[2]}/Major/occurredTime:{parts.stamp}"
    return f"{kind}/-/-/alarmID:{ALARM}/CID={COMPONENT}:{parts.text}"


class _Form(Struct, frozen=True):
    write: Callable[[_Parts], str]
    usual: str = "date"
    allowed: tuple[str, ...] = _INFO_CENTER


_FORMS = {
    "A": _Form(lambda p: f"{p.pri}{p.head}%%01{p.tag}(l)[{p.seq}]:{p.text}"),
    "B": _Form(lambda p: f"{p.pri}{p.head}%%01{p.tag}(l)[{p.seq}]:Slot=1,Vcpu=0;{p.text}"),
    "C": _Form(lambda p: p.pri + _vrp5_trap(p)),
    "D": _Form(lambda p: f"{p.pri}{p.head}%%01{p.tag}(l)[{p.seq}]:{_with_oid(p)}"),
    "E": _Form(lambda p: f"{p.pri}{p.head}%%01{p.tag}(l):CID={COMPONENT};{p.text}"),
    "F": _Form(_alarm_log),
    "G": _Form(lambda p: f"{p.pri}{p.head}%%01{p.tag}(t):{_trap_id(p)};{p.text}"),
    "H": _Form(lambda p: "#" + _vrp5_trap(p)),
    "I": _Form(_console, "format-date", ("format-date",)),
    "J": _Form(lambda p: f"{p.head}ipsec_ike[{PROCESS_ID}]: [192.0.2.1] {p.text}", "rfc3339", ("rfc3339",)),
    "rfc5424": _Form(
        lambda p: f"{p.pri}1 {p.stamp or '-'} {p.host or '-'} - - - - {p.tag}:{_with_oid(p)}",
        "rfc3339",
        ("rfc3339", "none"),
    ),
    "comware": _Form(lambda p: f"{p.pri}{p.head}%%10{p.tag}: {p.text}", "year-last", _COMWARE),
    "comware-console": _Form(lambda p: f"%{p.head}{p.tag}: {p.text}", "year-last-ms", ("year-last-ms",)),
    "unicom": _Form(
        lambda p: f"{p.pri}{p.head}10{p.tag.rpartition('/')[0]}/{p.seq}: {p.text}",
        "iso",
        ("iso", "year-last", "short-date"),
    ),
    "cmcc": _Form(lambda p: f"{p.pri}{p.head}%10{p.tag}: {p.text}", "year-last", _COMWARE),
    "rfc3164": _Form(lambda p: f"{p.pri}{p.stamp} {RELAY} {_vrp5_trap(p)}", "short-date", ("short-date",)),
}
#: What H3C's devices print; the others are Huawei's, and what relays make of them.
COMWARE_FORMS = ("comware", "comware-console", "unicom", "cmcc")
FORMS = tuple(form for form in _FORMS if form not in COMWARE_FORMS)
ALL_FORMS = FORMS + COMWARE_FORMS


def timestamps(form: str) -> tuple[str, ...]:
    """The kinds of time stamp that a form can carry."""
    return _FORMS[form].allowed


def compose(
    template: SyslogTemplate, values: Mapping[str, str], when: datetime, seq: int = 1, layout: Layout | None = None
) -> bytes:
    """One message, without any framing. ``values`` are by field, see `eventd.sender.templates.fill`.

    Raises:
        SendError: the form cannot carry that kind of time stamp.
    """
    layout = layout or Layout()
    named = layout.form or template.form
    form = _FORMS[named]
    kind = layout.timestamp or form.usual
    if kind not in form.allowed:
        raise SendError(f"form {named} cannot carry a {kind} time stamp, only {' or '.join(form.allowed)}")
    stamp = TIMESTAMPS[kind](when)
    tag = f"{template.module}/{template.level}/{template.mnemonic}" if template.module else template.mnemonic
    plain, _, state = tag.rpartition("_")
    suffixed = state in ("active", "clear")
    parts = _Parts(
        pri=f"<{layout.facility * 8 + template.level}>",
        head=" ".join([part for part in (stamp, layout.hostname) if part] + [""]),
        stamp=stamp,
        host=layout.hostname,
        tag=tag,
        plain=plain if suffixed else tag,
        state=state if suffixed else "active",
        seq=seq,
        oid=template.oid or "",
        text=body(template, values, layout.value_style),
    )
    return form.write(parts).encode()
