"""Builds `tests/golden/corpus/huawei.jsonl`: Huawei messages in every form, kind of time, and way to write values.

``python tests/support/corpus_huawei.py``. What a line must become is put together here from the same parts as the line,
by what the vendor's pages say the parts mean; eventd is not imported, so nothing is copied from what it makes of them.
Fields that ``expected`` does not name are null. Captured lines are in `huawei-captured.jsonl`, their meaning by hand.

Labels: ``real`` = captured; ``template`` = a text and a layout that a page shows, filled in; ``made`` = all others.
"""

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from corpus_huawei_events import (
    Field,
    Said,
    failure,
    neighbours,
    selfheals,
    sla,
    start,
    stop,
    torn_down,
    unknown,
    unlisted,
)
from corpus_huawei_forms import (
    DOCUMENTED_FORMS,
    DOCUMENTED_STAMPS,
    FORMS,
    FORMS_WITHOUT_OID,
    HOSTS,
    KEYS,
    RELAYS,
    SEPARATORS,
    STAMPS,
    STYLES,
    Tag,
)
from corpus_reasons import NEGOTIATION, OFFLINE

FILE = Path(__file__).parent.parent / "golden/corpus/huawei.jsonl"


def build() -> Iterator[dict[str, Any]]:
    """All lines."""
    yield from (in_gbk(), *cut_off())
    seen: set[str] = set()
    for n, (said, form) in enumerate(chosen()):
        row = line(said, form, n)
        if row["line"] not in seen:
            seen.add(row["line"])
            yield row


def chosen() -> Iterator[tuple[Said, str]]:
    """Every reason in at least two forms; every form and every event with every kind of time in the long run."""
    with_oid = [form for form in FORMS if form != "C without OID"]
    forms = itertools.cycle(with_oid)
    for n, text in enumerate(OFFLINE):
        yield from ((stop(text, n + k), next(forms)) for k in range(4))
    for n, text in enumerate(NEGOTIATION):
        yield from ((failure(text, n + k), next(forms)) for k in range(3))
    yield from ((start(n), next(forms)) for n in range(33))
    without = itertools.cycle(FORMS_WITHOUT_OID)
    for n, text in enumerate(OFFLINE):
        yield torn_down(text, ("Normal", "Backup")[n % 3 == 2], n), next(without)
    for down in (True, False):
        yield from ((sla(down), form) for form in ("A", "B", "C without OID", "E", "F"))
    for said in neighbours():
        yield from ((said, form) for form in (("C", "D", "H") if said.oid else ("A", "B", "C without OID")))
    yield from ((said, next(without)) for said in selfheals())
    yield from ((said, next(forms)) for said in unlisted())


def in_gbk() -> dict[str, Any]:
    """The default character set of a USG (sec_admin_log_0132)."""
    row = line(unknown(stop("dpd timeout", 0), "对端请求删除", "major"), "A", 0)
    return {**row, "case": "GBK", "label": "made", "hex": row["line"].encode("gbk").hex()}


#: Event fields that a cut inside a key's value costs, beside those that cuts further on cost.
COST = {"InterfaceName": ("interface", "slot"), "VsysName": ("vsys",), "OfflineReason": ("reason",)}


def cut_off() -> Iterator[dict[str, Any]]:
    """Datagrams end anywhere: the last field is not believed, what stands before it is."""
    whole = line(stop("dpd timeout", 0), "C", 0)
    expected = whole["expected"]
    for key, lost in COST.items():
        at = whole["line"].index(f"{key}=")
        end = at + len(key) + 4
        expected = {name: value for name, value in expected.items() if name not in lost}
        expected["extra"] = {"truncated": whole["line"][at:end]}
        case = {"case": f"cut off inside {key}", "label": "made", "line": whole["line"][:end]}
        yield {**whole, **case, "expected": expected}


def line(said: Said, form: str, n: int) -> dict[str, Any]:
    """One line and what it must become; ``n`` turns every other dimension on by one."""
    stamp_kind = list(STAMPS)[n % len(STAMPS)]
    host = HOSTS[n % len(HOSTS)]
    style = list(STYLES)[n // 2 % len(STYLES)]
    keys = list(KEYS)[n // 3 % len(KEYS)] if said.name.startswith(("stop", "fail", "start")) else "all"
    relay = list(RELAYS)[n // 5 % len(RELAYS)] if stamp_kind.startswith(("date", "format")) and form != "H" else ""
    tag = FORMS[form](said, n)
    fields = KEYS[keys](said.fields)
    printed, when = STAMPS[stamp_kind]
    pri = (184 + said.level, None, 164, 29, 160 + said.level)[n % 5] if form != "H" else None
    if pri is None and relay == "RFC 5424 around it":
        pri = 184 + said.level
    own = RELAYS[relay].format(own=f"{printed} {host}")
    body = list(SEPARATORS.values())[n % len(SEPARATORS)](STYLES[style](field) for field in fields)
    text = f"{said.sentence} ({body})" if fields else said.sentence
    start = "#" if form == "H" else "" if pri is None else f"<{pri}>"
    inner = 188 if "PRI inside" in relay else pri
    header = {"pri": inner, "module": said.module, "level": said.level, "mnemonic": said.mnemonic, **tag.header}
    expected = _expected(said, tag, fields, keys)
    expected |= {"hostname": host, "device": host, "device_time": when, "header": header}
    documented = said.documented and form in DOCUMENTED_FORMS and not relay and keys in {"all", "fewer keys"}
    return {
        "case": f"{said.name}; {form}; {stamp_kind}; {style}; {keys}" + (f"; {relay}" if relay else ""),
        "label": "template" if documented and stamp_kind in DOCUMENTED_STAMPS else "made",
        "source": said.source,
        "line": f"{start}{own}{tag.text}{text}",
        "expected": {key: value for key, value in expected.items() if value is not None},
    }


def _expected(said: Said, tag: Tag, fields: Sequence[Field], keys: str) -> dict[str, Any]:
    expected = {"vendor": "huawei", **said.expected}
    extra = {**expected.get("extra", {}), **tag.extra}
    for field in fields:
        if field.field is None:
            extra[field.key] = field.value
        elif field.field:
            expected[field.field] = field.meaning
    for name, printed, value in (("slot", ("slot", "Slot"), tag.slot), ("cpu", ("Vcpu",), tag.cpu)):
        if value is not None and name in expected:  # the body said it first
            key = next(key for key in printed if f"{key}=" in tag.text)
            extra.setdefault(key, str(value))
        elif value is not None:
            expected[name] = value
    return expected | ({"extra": extra} if extra else {})


def text() -> str:
    """The whole file."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in build())


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{sum(1 for _ in build())} lines\n")
