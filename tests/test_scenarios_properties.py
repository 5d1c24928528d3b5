"""Made up at random: what happens on every network every day wakes nobody, and no outage is lost in it."""

import asyncio
from pathlib import Path

import pytest
import scenario_book
from examples import some
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from msgspec.structs import replace

from eventd.scenarios import Scenario
from eventd.scenarios.book import read_scenario
from eventd.scenarios.play import Played
from eventd.scenarios.script import Line, lines

PEERS = [f"203.0.113.{n}" for n in range(1, 7)]
#: A matter of one peer is over before the next one begins.
SLOT = 120
#: How long anybody may wait for the first word of an outage: the hold of a replaced SA, and a margin.
TOLD_WITHIN = 35.0

LINK = "interface=GigabitEthernet0/0/9"
#: What devices tell all day long. {p} is a peer whose tunnel is up, {n} a number used once.
BENIGN = (
    (
        "+{a}s FW1 syslog ipsec.tunnel.start peer={p}",
        "+{b}s FW1 syslog ipsec.tunnel.stop peer={p} reason='phase2 sa replace'",
    ),
    (
        "+{a}s FW1 syslog ipsec.tunnel.stop peer={p} reason='phase2 hard expiry'",
        "+{b}s FW1 trap ipsec.tunnel.start peer={p}",
    ),
    (
        "+{a}s FW1 trap ipsec.tunnel.stop peer={p} reason='kick old sa with same flow'",
        "+{b}s FW1 syslog ipsec.tunnel.start peer={p}",
    ),
    ("+{a}s FW1 syslog ipsec.tunnel.stop peer={p} reason='phase1 sa replace'",),
    ("+{a}s FW1 syslog ipsec.negotiation.fail peer=198.18.0.0+{n} reason='authentication fail'",),
    (f"+{{a}}s FW1 syslog/F linkDown_active {LINK}", f"+{{b}}s FW1 syslog/F linkDown_clear {LINK}"),
    ("+{a}s FW1 trap ipsec.dpd.fail peer={p}", "+{b}s FW1 trap ipsec.dpd.success peer={p}"),
    ("+{a}s FW2 syslog IPSEC_TUNNEL_TEARED_DOWN peer={p} reason='dpd timeout' State=Backup",),
    ("+{a}s FW1 trap hwIPSecWeakEncr peer={p}",),
    ("+{a}s FW1 syslog CMDRECORD Command='acl number 3100'",),
    ("+{a}s FW1 raw <188>half a line",),
)
OUTAGES = (
    "dpd timeout",
    "heartbeat timeout",
    "exchange timeout",
    "flow overlap",
    "dns resolution status change",
    "port mismatch after inbound sa miss",
    "peer request",
    "phase1 hard expiry",
    "something new",
)

blocks = st.lists(
    st.tuples(st.sampled_from(range(len(BENIGN))), st.sampled_from(PEERS), st.floats(1, 13)), min_size=1, max_size=25
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    file: Path = tmp_path_factory.mktemp("book") / "one.toml"
    file.write_text("title = 't'\nwhy = 'w'\nnothing = true\ntimeline = '+0s FW1 raw x'\n")
    return read_scenario(file)


def script(*texts: str) -> list[Line]:
    made = [line for number, text in enumerate(texts, 1) for line in lines(number, text)]
    return sorted(made, key=lambda line: line.at)


def daily(chosen: list[tuple[int, str, float]]) -> list[str]:
    """All peers up, and then one matter after the other."""
    texts = [f"+{n}s FW1 syslog ipsec.tunnel.start peer={peer}" for n, peer in enumerate(PEERS)]
    for place, (block, peer, gap) in enumerate(chosen, 1):
        at = place * SLOT
        texts += [text.format(a=at, b=round(at + gap, 1), p=peer, n=place) for text in BENIGN[block]]
    return texts


def play(empty: Scenario, texts: list[str], more: float = 300) -> Played:
    made = script(*texts)
    return asyncio.run(scenario_book.player().play(replace(empty, script=tuple(made), until=made[-1].at + more)))


common = some(10, suppress_health_check=[HealthCheck.function_scoped_fixture])


@common
@given(blocks)
def test_a_quiet_day_is_quiet(empty: Scenario, chosen: list[tuple[int, str, float]]) -> None:
    played = play(empty, daily(chosen))
    assert [told.incident.title for told in played.told] == []
    assert played.defects == 0


@common
@given(blocks, st.sampled_from(OUTAGES), st.sampled_from(PEERS), st.floats(0, 1), st.sampled_from(["syslog", "trap"]))
def test_no_outage_is_lost(
    empty: Scenario, chosen: list[tuple[int, str, float]], reason: str, victim: str, when: float, way: str
) -> None:
    """A tunnel stops somewhere in that day and does not come back: somebody is told, soon, and of nothing else."""
    place = int(when * len(chosen))
    spared = PEERS[PEERS.index(victim) - 1]
    late = [(block, spared if peer == victim else peer, gap) for block, peer, gap in chosen[place:]]
    at = place * SLOT + SLOT / 2
    stop = f"+{at}s FW1 {way} ipsec.tunnel.stop peer={victim} reason='{reason}'"
    played = play(empty, [*daily(chosen[:place] + late), stop])
    first = next((told for told in played.told if told.incident.peer == victim), None)
    assert first is not None
    assert first.at - at <= TOLD_WITHIN
    assert {told.incident.peer for told in played.told} == {victim}
