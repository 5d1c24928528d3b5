"""The corpus: every line of `tests/golden/corpus` becomes its event in all fields.

A row names the fields that are not null; every other field must be null or its default. What a line must become is put
together with the line (`tests/support/corpus_VENDOR.py`) or written by hand (`VENDOR-captured.jsonl`), never taken from
the decoder.
"""

import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from huawei_lines import registry

from eventd.decode import Decoder
from eventd.inventory import Inventory
from eventd.model import Event, Message
from eventd.parse.snmp import Access

FOLDER = Path(__file__).parent.parent / "golden/corpus"
#: Files of the corpus that are built, and the module in `tests/support` that does.
BUILDERS = {path.stem: f"corpus_{path.stem}" for path in sorted(FOLDER.glob("*.jsonl")) if "-" not in path.stem}
#: 2026-11-21 04:00:05 UTC, when every line arrives, and from where.
RECEIVED_AT, SOURCE = 1_795_233_605.0, "192.0.2.1"
VENDORS = {"huawei": "Huawei messages", "h3c": "H3C messages"}
#: Fields of a reason that a line decides; the others are the catalogue's own and tested with it.
REASON = ("text", "name", "code", "known", "category")
#: What every line has in common, and the line itself.
COMMON = ("raw", "received_at", "source", "transport")
DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Event)}
NULL = {"event": None, "vendor": None, "device_time": None, "standby": False, "severity": "info", "extra": {}}


ROWS = {path: [json.loads(line) for line in path.read_text().splitlines()] for path in sorted(FOLDER.glob("*.jsonl"))}
LINES = [row for rows in ROWS.values() for row in rows]
CASES = [
    pytest.param(row, id=row["case"], marks=pytest.mark.conformance(VENDORS[path.stem.split("-")[0]], "a corpus line"))
    for path, rows in ROWS.items()
    for row in rows
]


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    payload = bytes.fromhex(row["hex"]) if "hex" in row else row["line"].encode()
    message = Message("syslog-udp", SOURCE, 514, RECEIVED_AT, payload)
    event = Decoder(registry(), Inventory(), Access([])).decode(message)
    assert isinstance(event, Event), event
    found: dict[str, Any] = json.loads(msgspec.json.encode(event))
    assert found["raw"] == (row["line"] if "hex" not in row else payload.decode("utf-8", "backslashreplace"))
    if found["reason"] is not None:
        found["reason"] = {name: found["reason"][name] for name in REASON}
    return {name: value for name, value in found.items() if name not in COMMON}


def expected(row: dict[str, Any]) -> dict[str, Any]:
    fields = {name: None for name in DEFAULTS if name not in COMMON}
    header = dict.fromkeys(("pri", "module", "level", "mnemonic", "mark", "seq", "oid", "notification"))
    return {**fields, **NULL, **row["expected"], "header": {**header, **row["expected"]["header"]}}


@pytest.mark.parametrize("row", CASES)
def test_a_line_of_the_corpus_becomes_its_event_in_all_fields(row) -> None:
    assert decoded(row) == expected(row)


@pytest.mark.parametrize("vendor", BUILDERS)
def test_the_file_is_what_its_builder_writes(vendor) -> None:
    assert (FOLDER / f"{vendor}.jsonl").read_text() == importlib.import_module(BUILDERS[vendor]).text()


def test_every_line_says_what_it_is_and_where_it_comes_from() -> None:
    labels = Counter(row["label"] for row in LINES)
    assert labels.keys() == {"real", "template", "made"}
    assert all(row["source"] for row in LINES)
    assert len({row["case"] for row in LINES}) == len({row["line"] for row in LINES}) == len(LINES) >= 400
    assert not [row for path, rows in ROWS.items() for row in rows if path.stem in BUILDERS and row["label"] == "real"]


def test_the_corpus_does_not_ask_the_decoder() -> None:
    for file in (FOLDER.parent.parent / "support").glob("corpus_*.py"):
        assert not re.search(r"^(import|from) (eventd|handlers)", file.read_text(), re.MULTILINE), file.name
