"""What the documents and example files say is true: defaults, metric names, links, commands."""

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import rules_page

from eventd import correlate, heartbeat, recorder, store
from eventd.config import Log, Metrics, SnmpReceiver, load
from eventd.correlate.hush import Maintenance
from eventd.credentials import SnmpEngine, SnmpUser
from eventd.durations import parse_duration
from eventd.errors import RejectReason
from eventd.metrics import PREFIX, SPECS
from eventd.model import EVENTS
from eventd.receivers.settings import SyslogTcp, SyslogTls, SyslogUdp
from eventd.web.settings import Web

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config/eventd.example.toml"

SECTIONS = {
    "receivers.syslog_udp": SyslogUdp,
    "receivers.syslog_tcp": SyslogTcp,
    "receivers.syslog_tls": SyslogTls,
    "receivers.snmp": SnmpReceiver,
    "store": store.Settings,
    "web": Web,
    "correlate": correlate.Settings,
    "metrics": Metrics,
    "log": Log,
    "record": recorder.Settings,
    "heartbeat": heartbeat.Settings,
}
#: shown with an example value because there is no default
EXAMPLES_ONLY = {
    "record.path",
    "heartbeat.url",
    "heartbeat.tls_ca_file",
    "heartbeat.proxy_url",
    "cert_file",
    "key_file",
    "client_ca_file",
    "client_fingerprints",
    "engine_id",
    "max_connections_per_source",
    "max_messages_per_second_per_source",
    "external_url",
    "tls_cert_file",
    "tls_key_file",
}


def shown_defaults() -> list[tuple[str, str, str]]:
    """(section, key, value as written) of every commented default in the example."""
    section, found = "", []
    for line in EXAMPLE.read_text().splitlines():
        if header := re.fullmatch(r"(?:# )?\[([\w.]+)\]", line):
            section = header[1]
        elif re.fullmatch(r"(?:# )?\[\[.*\]\]", line):
            section = ""
        elif (default := re.fullmatch(r"# (\w+) = (.+)", line)) and section in SECTIONS:
            found.append((section, default[1], default[2]))
    return found


def test_the_example_shows_something() -> None:
    assert len(shown_defaults()) > 30


@pytest.mark.parametrize(("section", "key", "text"), shown_defaults(), ids=lambda value: str(value)[:30])
def test_every_default_shown_in_the_example_is_the_default(section: str, key: str, text: str, tmp_path: Path) -> None:
    fields = {field.name: field for field in msgspec.structs.fields(SECTIONS[section])}
    assert key in fields, f"{section}.{key} does not exist"
    if {key, f"{section}.{key}"} & EXAMPLES_ONLY:
        return
    shown = tomllib.loads(f"x = {text}")["x"]
    default = fields[key].default
    if isinstance(default, float) and isinstance(shown, str):
        shown = parse_duration(shown)
    assert (tuple(shown) if isinstance(shown, list) else shown) == default


@pytest.mark.parametrize(
    "settings", [*SECTIONS.values(), SnmpUser, SnmpEngine, Maintenance], ids=lambda cls: cls.__name__
)
def test_the_example_has_every_key(settings: type[msgspec.Struct]) -> None:
    text = EXAMPLE.read_text()
    names = [field.encode_name for field in msgspec.structs.fields(settings)]
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


def test_the_example_as_it_stands_is_the_built_in_configuration() -> None:
    built_in, example = load(None), load(str(EXAMPLE))
    for key in (
        "receivers",
        "store",
        "web",
        "correlate",
        "metrics",
        "log",
        "record",
        "heartbeat",
        "channels",
        "routes",
        "handlers",
    ):
        assert getattr(example, key) == getattr(built_in, key), key


@pytest.mark.parametrize("file", ["config/eventd.example.toml", "docs/operating.md"])
def test_the_planned_windows_shown_are_windows(file: str, tmp_path: Path) -> None:
    lines = (ROOT / file).read_text().splitlines()
    begin = next(n for n, line in enumerate(lines) if line.endswith("[[maintenance]]"))
    shown = [line.removeprefix("# ") for line in lines[begin:]]
    end = next(n for n, line in enumerate(shown) if line.startswith(("##", "```")))
    config = tmp_path / "eventd.toml"
    config.write_text("\n".join(shown[:end]))
    once, weekly = load(str(config)).maintenance
    assert once.start is not None
    assert (weekly.weekly, weekly.time_zone) == ("Sat 22:00-Sun 02:00", "Europe/Oslo")
    assert weekly.covers(datetime(2026, 12, 5, 22, 30, tzinfo=UTC).timestamp()) is not None


def test_the_page_of_the_rules_is_what_the_rules_say() -> None:
    assert rules_page.PAGE.read_text(encoding="utf-8") == rules_page.page(), "make rules"


def test_the_example_inventory_loads(tmp_path: Path) -> None:
    config = tmp_path / "eventd.toml"
    config.write_text(f'inventory = "{ROOT}/config/peers.example.toml"\n')
    inventory = load(str(config)).inventory
    assert inventory.peer("203.0.113.7").name == "branch-berlin"
    assert inventory.peer("198.51.100.9").site == "partners"


def test_every_metric_is_documented() -> None:
    text = (ROOT / "docs/metrics.md").read_text()
    for spec in SPECS:
        name = PREFIX + spec.name + ("_total" if spec.kind == "counter" else "")
        assert f"| `{name}` | {spec.kind} |" in text, name


def test_every_metric_in_rules_and_documents_exists() -> None:
    names = {PREFIX + spec.name + ("_total" if spec.kind == "counter" else "") for spec in SPECS}
    names |= {
        f"{PREFIX}{spec.name}{tail}"
        for spec in SPECS
        if spec.kind == "histogram"
        for tail in ("_bucket", "_sum", "_count")
    }
    for file in (ROOT / "deploy/prometheus-rules.yml", ROOT / "docs/metrics.md", ROOT / "README.md"):
        for name in re.findall(r"\beventd_[a-z0-9_]+", file.read_text()):
            assert name in names, f"{name} in {file.name}"


def test_every_event_is_documented() -> None:
    text = (ROOT / "docs/events.md").read_text()
    for event in EVENTS:
        assert f"`{event}`" in text


def test_reject_reasons_are_short_label_values() -> None:
    assert all(re.fullmatch(r"[a-z_]{3,24}", reason) for reason in RejectReason)


@pytest.mark.parametrize(
    "file", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("handlers/*.md")]), ids=lambda f: f.name
)
def test_every_local_link_leads_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
        assert (file.parent / target).exists(), f"{target} in {file.name}"
