"""Hostile text from the wire at every way out: logs, terminal, notifications, pages."""

import io
import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_incident, make_notification

from eventd.cli import main
from eventd.model import Reason
from eventd.notify.alert import annotations, labels
from eventd.notify.markup import clean
from eventd.notify.render import plain
from eventd.printable import printable, printable_json
from eventd.telemetry import get_logger, setup_logging
from eventd.web.looks import reveal

HOSTILE = {
    "clear screen": "\x1b[2J",
    "window title": "\x1b]0;owned\x07",
    "one octet escape": "\x9b31m",
    "carriage return": "\r",
    "line feed": "\n2026-11-26 forged line",
    "backspace": "\b\b\b",
    "null": "\x00",
    "delete": "\x7f",
    "next line": "\x85",
    "line separator": "\u2028",
    "right to left override": "\u202e",
    "isolate": "\u2066",
    "arabic letter mark": "\u061c",
    "zero width space": "\u200b",
    "byte order mark": "\ufeff",
    "soft hyphen": "\xad",
    "vowel separator": "\u180e",
    "tag": "\U000e0041",
}
#: Written for people on one line: nothing of these categories may come through.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


def unseen(text: str) -> set[str]:
    return {char for char in text if unicodedata.category(char) in UNSEEN}


def logged(*, json: bool, **said: object) -> str:
    out = io.StringIO()
    stop = setup_logging(json=json, stream=out)
    get_logger("test").warning("message rejected", **said)
    stop()
    return out.getvalue()


@pytest.mark.conformance("RFC 5424 §8.2", "a log line in JSON shows none of it and keeps the text")
@hostile
def test_a_json_log_line(text: str) -> None:
    line = logged(json=True, raw=f"FW1{text}end", nested={"raw": text})
    assert unseen(line) == {"\n"}
    assert line.count("\n") == 1
    assert json.loads(line)["raw"] == f"FW1{text}end"
    assert json.loads(line)["nested"] == {"raw": text}


@pytest.mark.conformance("RFC 5424 §8.2", "a log line on a console shows none of it")
@hostile
def test_a_console_log_line(text: str) -> None:
    line = logged(json=False, device=f"FW1{text}end", nested={"raw": text})
    assert unseen(line) == {"\n"}
    assert line.count("\n") == 1
    assert "FW1" in line


def test_a_traceback_in_a_console_log_keeps_its_lines_and_nothing_else() -> None:
    line = logged(json=False, exc_info=ValueError("FW1\x1b[2J\u202e"))
    assert unseen(line) == {"\n"}
    assert "FW1\\x1b[2J\\u202e" in line


@pytest.mark.conformance("RFC 5424 §8.2", "decode in both formats shows none of it, and JSON keeps the text")
@pytest.mark.parametrize("format_", ["json", "text"])
@hostile
def test_decode(text: str, format_: str, tmp_path: Path) -> None:
    if "\n" in text:
        text = text.replace("\n", "\r")  # the input of decode is lines
    line = (
        f"<188>Nov 21 2026 04:00:00 FW1 %%01IPSEC/4/IPSECTUNNELSTOP(l)[1]:gone (DstIP=2.1.1.1, OfflineReason=a{text}b)"
    )
    (tmp_path / "lines").write_bytes(line.encode() + b"\n")
    result = CliRunner().invoke(main, ["decode", "-f", format_, str(tmp_path / "lines")])
    assert result.exit_code == 0
    assert unseen(result.stdout) == {"\n"}
    if format_ == "json":
        assert json.loads(result.stdout)["reason"]["text"] == f"a{text}b"


@pytest.mark.conformance("RFC 5424 §8.2", "notifications and alerts show none of it")
@hostile
def test_notifications(text: str) -> None:
    bad = f"FW1{text}end"
    incident = make_incident(device=bad, interface=bad, title=bad, summary=bad, cause=Reason(bad), chain=(bad,))
    written = [clean(bad), plain(make_notification(incident)), *labels(incident).values()]
    written += [value for name, value in annotations(incident).items() if name not in {"actions", "chain"}]
    assert not unseen("".join(written).replace("\n", ""))
    whole = plain(make_notification(make_incident(device="FW1", cause=Reason("a"), chain=("a",))))
    assert plain(make_notification(incident)).count("\n") == whole.count("\n")
    assert "FW1" in labels(incident)["device"]


@pytest.mark.conformance("RFC 5424 §8.2", "pages write it out")
@hostile
def test_pages(text: str) -> None:
    assert not unseen(reveal(f"FW1{text}end").replace("\n", ""))


@given(st.text())
def test_printable_text_prints_and_says_the_same(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(text) == text or not text.isprintable()


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_printable_json_means_the_same(value: object) -> None:
    written = json.dumps(value, ensure_ascii=False)
    assert json.loads(printable_json(written)) == value
