"""The files of a book: TOML in, scenarios out, every problem with its file, key and line."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from eventd import inventory
from eventd.correlate import Maintenance, Settings
from eventd.document import Document, read
from eventd.durations import parse_duration
from eventd.errors import ConfigError, Problem
from eventd.model import INCIDENT_KINDS, REASON_CATEGORIES, Severity
from eventd.notify import routing
from eventd.notify.routing import Route
from eventd.scenarios.script import OURS, Line, ScriptError, lines, moment

#: What is still held or open is watched this long after the last line, where the file does not say ``until``.
RUN_ON_S = 600.0
#: Lines of a timeline after repetition: more take longer than anybody waits for a test.
MAX_LINES = 20_000

Text = Annotated[str, Meta(min_length=1)]
FaultSide = Literal["local", "remote", "path", "unknown"]


class Sender(Struct, frozen=True, forbid_unknown_fields=True):
    """How a device of the timeline sends. ``clock_ahead`` is how much its clock is fast, ``-8h`` that it is slow."""

    address: str | None = None
    hostname: str | None = None
    vendor: str = "huawei"
    clock_ahead: str = "0s"
    community: str = "public"

    @property
    def ahead_s(self) -> float:
        """``clock_ahead`` in seconds. Raises `ValueError`."""
        seconds = parse_duration(self.clock_ahead.removeprefix("-"))
        return -seconds if self.clock_ahead.startswith("-") else seconds


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """An incident that has to be concluded. What is not given does not matter; names may hold shell wildcards.

    ``times`` is how many of them. ``began`` is when it is dated to; ``told_within`` how long after that somebody is
    told at the latest, ``held`` how long nobody is. ``severity`` is the one it is opened with, ``rises_to`` the last.
    ``told`` lists what was told of it, in order; ``parent`` is the kind of the incident that it belongs to.
    """

    kind: Text
    device: str | None = None
    peer: str | None = None
    interface: str | None = None
    vsys: str | None = None
    site: str | None = None
    times: Annotated[int, Meta(ge=1)] = 1
    began: str | None = None
    held: float | None = None
    told_within: float | None = None
    over_by: str | None = None
    not_over_before: str | None = None
    severity: Severity | None = None
    rises_to: Severity | None = None
    status: Literal["open", "resolved"] | None = None
    cause: str | None = None
    category: str | None = None
    fault_side: FaultSide | None = None
    count: int | None = None
    parent: str | None = None
    children: int | None = None
    witnesses: tuple[str, ...] | None = None
    chain: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    told: tuple[str, ...] | None = None


class Messages(Struct, frozen=True, forbid_unknown_fields=True):
    """How many messages a channel gets, of those that ``what``, ``kind`` and ``severity`` (where given) say, from
    ``since`` to ``until``."""

    channel: str | None = None
    what: Literal["opened", "updated", "resolved"] | None = None
    kind: str | None = None
    severity: Severity | None = None
    since: str = "+0s"
    until: str | None = None
    at_most: int | None = None
    at_least: int | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    title: Text
    why: Text
    timeline: Text
    source: str = ""
    pending: Text | None = None
    until: str | None = None
    nothing: bool = False
    untold_others: bool = False
    suppressed: tuple[str, ...] = ()
    not_suppressed: tuple[str, ...] = ()
    senders: Any = None
    devices: tuple[inventory.Device, ...] | None = None
    peers: tuple[inventory.Peer, ...] | None = None
    correlate: Any = None
    routes: tuple[Route, ...] | None = None
    maintenance: tuple[Maintenance, ...] | None = None
    incident: tuple[Expected, ...] = ()
    messages: tuple[Messages, ...] = ()


class Scenario(Struct, frozen=True):
    """One scenario, read and checked. ``known``, ``routes``, ``maintenance`` and ``correlate`` stand in for those of
    the configuration where they are given, ``correlate`` key by key. ``until`` is in seconds since the beginning."""

    name: str
    file: str
    title: str
    why: str
    source: str
    pending: str | None
    script: tuple[Line, ...]
    until: float
    senders: Mapping[str, Sender]
    known: inventory.Inventory | None
    correlate: Mapping[str, Any]
    routes: tuple[Route, ...] | None
    maintenance: tuple[Maintenance, ...] | None
    nothing: bool
    untold_others: bool
    suppressed: tuple[str, ...]
    not_suppressed: tuple[str, ...]
    incidents: tuple[Expected, ...]
    messages: tuple[Messages, ...]


class Draft(Struct, frozen=True):
    """A file as far as it can be understood: with ``problems``, the scenario holds what is good of it, so that what
    does not depend on the rest can still be tried. None where there is no timeline."""

    scenario: Scenario | None
    problems: list[Problem]


def read_book(folder: Path) -> list[Draft]:
    """All scenarios of a folder and those below it, by name.

    Raises:
        ConfigError: there is no file at all.
    """
    files = sorted(folder.rglob("*.toml"))
    if not files:
        raise ConfigError([Problem("scenarios", "no *.toml file in this folder", str(folder))])
    return [read_draft(file, file.relative_to(folder).with_suffix("").as_posix()) for file in files]


def read_scenario(file: Path, name: str | None = None) -> Scenario:
    """One file.

    Raises:
        ConfigError: with every problem found.
    """
    draft = read_draft(file, name)
    if draft.scenario is None or draft.problems:
        raise ConfigError(draft.problems)
    return draft.scenario


def read_draft(file: Path, name: str | None = None) -> Draft:
    """One file, with every problem of it that can be seen without playing it."""
    try:
        reader, document = read(file)
    except ConfigError as error:
        return Draft(None, list(error.problems))
    given = reader.draft(_File, document, "")
    if not hasattr(given, "timeline"):
        _check(reader, given)
        return Draft(None, reader.problems)
    script = tuple(_script(reader, given.timeline))
    scenario = Scenario(
        name=name or file.stem,
        file=str(file),
        title=_good(given, "title", ""),
        why=_good(given, "why", ""),
        source=_good(given, "source", ""),
        pending=_good(given, "pending"),
        script=script,
        until=_until(reader, given, script),
        senders=_senders(reader, _good(given, "senders"), script),
        known=_known(reader, given),
        correlate=_correlate(reader, _good(given, "correlate")),
        routes=_good(given, "routes"),
        maintenance=_good(given, "maintenance"),
        nothing=_good(given, "nothing", default=False),
        untold_others=_good(given, "untold_others", default=False),
        suppressed=_good(given, "suppressed", ()),
        not_suppressed=_good(given, "not_suppressed", ()),
        incidents=_good(given, "incident", ()),
        messages=_good(given, "messages", ()),
    )
    _check(reader, given)
    return Draft(scenario, reader.problems)


def _good(given: Any, name: str, default: Any = None) -> Any:
    """A field of a struct or of the draft of one, which lacks those that cannot be understood."""
    return getattr(given, name, default)


def _script(reader: Document, text: str) -> list[Line]:
    made: list[Line] = []
    first = (reader.line("timeline") or 0) + ("\n" in text)  # the text begins below the key
    for number, line in enumerate(text.splitlines(), first):
        try:
            made += lines(number, line)
        except ScriptError as error:
            reader.problems.append(Problem("timeline", str(error), str(reader.path), number))
    if not made:
        reader.fault("timeline", "nothing happens in it")
    if len(made) > MAX_LINES:
        reader.fault("timeline", f"{len(made)} messages: at most {MAX_LINES}")
    return sorted(made, key=lambda line: line.at)


def _until(reader: Document, given: Any, script: Iterable[Line]) -> float:
    last = max((line.at for line in script), default=0.0)
    text = _good(given, "until")
    until = last + RUN_ON_S if text is None else _moment(reader, "until", text)
    if until < last and reader.sound("until"):
        reader.fault("until", "the timeline goes on after it")
    return until


def _moment(reader: Document, key: str, text: str | None) -> float:
    try:
        return moment(text) if text is not None else 0.0
    except ValueError as error:
        reader.fault(key, str(error))
        return 0.0


def _senders(reader: Document, tables: Any, script: Iterable[Line]) -> dict[str, Sender]:
    if tables is None:
        return {}
    if not isinstance(tables, dict):
        reader.fault("senders", "expected tables: [senders.NAME]")
        return {}
    used = {line.who for line in script} - OURS.keys()
    for name in sorted(tables.keys() - used) if reader.sound("timeline") else ():
        reader.fault(f"senders.{name}", "sends nothing in the timeline")
    found = dict[str, Sender]()
    for name, table in tables.items():
        sender = reader.struct(Sender, table, f"senders.{name}")
        try:
            _ = sender and sender.ahead_s
            found |= {name: sender} if sender else {}
        except ValueError as error:
            reader.fault(f"senders.{name}.clock_ahead", str(error))
    return found


def _known(reader: Document, given: Any) -> inventory.Inventory | None:
    devices, peers = _good(given, "devices"), _good(given, "peers")
    if (devices is None and peers is None) or not (reader.sound("devices") and reader.sound("peers")):
        return None
    before = len(reader.problems)
    for key, what in inventory.faults(devices or (), peers or ()):
        reader.fault(key, what)
    return inventory.Inventory(devices or (), peers or ()) if len(reader.problems) == before else None


def _correlate(reader: Document, table: Any) -> dict[str, Any]:
    if table is None:
        return {}
    settings: Settings | None = reader.struct(Settings, table, "correlate")
    return {} if settings is None else {name: getattr(settings, name) for name in table}


def _check(reader: Document, given: Any) -> None:
    """What the parts say must fit together, and say something; of a draft what can be known."""
    routes, incidents, messages = (_good(given, name) for name in ("routes", "incident", "messages"))
    channels: set[str] | None = None
    if reader.sound("routes"):
        channels = {name for route in routes or () for name in route.channels}
        for problem in routing.validate(routes or (), channels):
            reader.fault(problem.key, problem.what)
    for index, expected in enumerate(incidents or ()):
        _check_expected(reader, f"incident[{index}]", expected)
    for index, count in enumerate(messages or ()):
        _check_count(reader, f"messages[{index}]", count, channels if routes is not None else None)
    nothing = _good(given, "nothing", default=False)
    if not nothing and incidents == () and messages == ():
        reader.fault("nothing", "nothing is expected: [[incident]], [[messages]] or nothing = true")
    if nothing and any(_good(expected, "told", ()) != () for expected in incidents or ()):
        reader.fault("nothing", "nobody is to be told of anything, yet an incident does not say told = []")


def _check_expected(reader: Document, key: str, expected: Any) -> None:
    known_values = (("kind", INCIDENT_KINDS), ("parent", INCIDENT_KINDS), ("category", REASON_CATEGORIES))
    for name, known in known_values:
        value = _good(expected, name)
        if value is not None and value not in known:
            reader.fault(f"{key}.{name}", f"{value!r} is none of {', '.join(known)}")
    for name in ("began", "over_by", "not_over_before"):
        _moment(reader, f"{key}.{name}", _good(expected, name))
    for what in _good(expected, "told") or ():
        if what not in ("opened", "updated", "resolved"):
            reader.fault(f"{key}.told", f"{what!r} is none of opened, updated, resolved")


def _check_count(reader: Document, key: str, count: Any, channels: set[str] | None) -> None:
    if reader.sound(key) and count.at_most is None and count.at_least is None:
        reader.fault(key, "at_most or at_least is missing")
    channel = _good(count, "channel")
    if channels is not None and channel is not None and channel not in channels:
        reader.fault(f"{key}.channel", f"{channel!r} is named by no route of this scenario")
    for name in ("since", "until"):
        _moment(reader, f"{key}.{name}", _good(count, name))
