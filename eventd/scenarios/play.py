"""Lets a scenario happen: its messages through decoder, judgement and routing on a virtual clock."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from eventd.config import ChannelConfig, Config
from eventd.contract import Verdict
from eventd.correlate import Correlator, Silence
from eventd.decode import Decoder
from eventd.errors import ConfigError, Problem
from eventd.matching import Match, matches
from eventd.model import Event, Incident, Malformed
from eventd.registry import Registry
from eventd.replay import Replay, Step, decoder
from eventd.scenarios.book import Scenario
from eventd.scenarios.script import ACTS, OPERATOR, Line
from eventd.scenarios.wire import EPOCH, Spoken, Wire


class Heard(Struct, frozen=True):
    """A line of the timeline and what its message was decoded to; None for a restart."""

    line: Line
    found: Event | Malformed | None


class Told(Struct, frozen=True):
    """One message on one channel, ``at`` seconds since the beginning."""

    at: float
    channel: str
    what: str
    incident: Incident


class Concluded(Struct):
    """An incident from its opening to how it stood at the end; ``told`` is what was told of it on any channel."""

    opened_at: float
    first: Incident
    last: Incident
    told: list[Told]


class Played(Struct, frozen=True):
    """What became of a scenario. ``idle`` are the acts of an operator for which there was nothing."""

    heard: list[Heard]
    steps: list[Step]
    incidents: list[Concluded]
    told: list[Told]
    suppressed: Mapping[str, int]
    defects: int
    idle: list[str]


class Ready(Struct, frozen=True):
    """A scenario with its messages and the configuration that it is played under."""

    scenario: Scenario
    config: Config
    spoken: list[Spoken]
    heard: list[Heard]


class Player:
    """Plays scenarios against one configuration, whose inventory, routes, channels and timers hold where a scenario
    brings none of its own."""

    def __init__(self, config: Config, registry: Registry) -> None:
        self._config, self._registry, self._wire = config, registry, Wire(registry)

    def prepare(self, scenario: Scenario) -> Ready:
        """Its messages.

        Raises:
            ConfigError: with everything in the timeline that no device could say.
        """
        config = self._config_of(scenario)
        spoken = self._wire.messages(scenario)
        return Ready(scenario, config, spoken, _decoded(decoder(config, self._registry), spoken, scenario))

    async def play(self, scenario: Scenario) -> Played:
        """Let it happen. Raises as `prepare` does."""
        return await self.run(self.prepare(scenario))

    async def run(self, ready: Ready) -> Played:
        """Let happen what was prepared."""
        scenario, config, spoken, heard = ready.scenario, ready.config, ready.spoken, ready.heard
        steps: list[Step] = []
        replay = Replay(config, self._registry, steps.append)
        down_until, idle = float("-inf"), list[str]()
        for one in spoken:
            if one.line.do in ACTS:
                idle += await _act(replay, one.line)
            elif one.message is None:
                down_until = one.line.at + one.line.lasts
                await replay.restart(EPOCH + one.line.at, EPOCH + down_until)
            elif one.line.at >= down_until:
                await replay.feed(one.message)
        await replay.pass_time(EPOCH + scenario.until)
        summary = replay.summary()
        told = _told(steps)
        return Played(heard, steps, _incidents(steps, told), told, summary.suppressed, summary.defects, idle)

    def _config_of(self, scenario: Scenario) -> Config:
        config = self._config
        if scenario.known is not None:
            config = replace(config, inventory=scenario.known)
        if scenario.maintenance is not None:
            config = replace(config, maintenance=scenario.maintenance)
        if scenario.routes is not None:
            names = dict.fromkeys(name for route in scenario.routes for name in route.channels)
            channels = tuple(ChannelConfig(name, "console", None) for name in names)  # nothing is sent by it
            config = replace(config, routes=scenario.routes, channels=channels)
        return replace(config, correlate=replace(config.correlate, **scenario.correlate))


async def _act(replay: Replay, line: Line) -> list[str]:
    """What an operator does to all that the line means; the line again where that is nothing."""
    own = {key: value for key, value in line.fields.items() if key in ACTS[line.do]}
    match: Match = {key: value for key, value in line.fields.items() if key not in own}
    who = own.get("who", OPERATOR)
    met: list[str] = []

    def act(correlator: Correlator, now: float) -> Verdict:
        if line.do == "silence":
            met.append(line.text)
            silence = Silence(f"line {line.number}", dict(match), now, now + line.lasts, who, own.get("reason", ""))
            return correlator.silence(silence, now)
        if line.do == "unsilence":
            met.extend(silence.id for silence in correlator.silences() if silence.covers(now) is not None)
            return _together([correlator.unsilence(ident, now) for ident in met])
        met.extend(incident.id for incident in correlator.open_incidents() if matches(match, incident))
        return _together([_taken(correlator, line, ident, who, now) for ident in met])

    await replay.operate(EPOCH + line.at, act)
    return [] if met else [line.text]


def _taken(correlator: Correlator, line: Line, ident: str, who: str, now: float) -> Verdict:
    if line.do == "clear":
        return correlator.clear(ident, now, who)
    until = now + line.lasts if line.lasts else None
    note = line.fields.get("note", "")
    return correlator.ack(ident, None if line.do == "unack" else who, now, note=note, until=until)


def _together(verdicts: list[Verdict]) -> Verdict:
    return Verdict(
        changes=tuple(change for verdict in verdicts for change in verdict.changes),
        suppressed=tuple(rule for verdict in verdicts for rule in verdict.suppressed),
        touched=tuple(key for verdict in verdicts for key in verdict.touched),
    )


def _decoded(reader: Decoder, spoken: list[Spoken], scenario: Scenario) -> list[Heard]:
    """What every message says, by a decoder of its own.

    Raises:
        ConfigError: a message made from a template is not the event that its line asked for.
    """
    heard = [Heard(one.line, None if one.message is None else reader.decode(one.message)) for one in spoken]
    problems = {
        one.line.number: Problem("timeline", _unlike(one.found), scenario.file, one.line.number)
        for one in heard
        if one.line.event and not (isinstance(one.found, Event) and one.found.event)
    }
    if problems:
        raise ConfigError(list(problems.values()))
    return heard


def _unlike(found: Event | Malformed | None) -> str:
    why = found.error.reason if isinstance(found, Malformed) else "of no known event"
    return f"this way of telling it cannot be decoded: {why}"


def _told(steps: list[Step]) -> list[Told]:
    return [
        Told(step.at.timestamp() - EPOCH, step.channel, step.told or "", step.incident)
        for step in steps
        if step.channel is not None
    ]


def _incidents(steps: list[Step], told: list[Told]) -> list[Concluded]:
    found: dict[str, Concluded] = {}
    for step in steps:
        if step.channel is not None:
            continue
        known = found.setdefault(
            step.incident.id, Concluded(step.at.timestamp() - EPOCH, step.incident, step.incident, [])
        )
        known.last = step.incident
    for one in told:
        found[one.incident.id].told.append(one)
    return list(found.values())
