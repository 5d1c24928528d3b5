"""No reason without a defined behaviour: every row of every vendor's catalogue, told on the wire in the situations in
which it occurs, leads to what its category, ``expected`` and ``needs_recovery_check`` demand (docs/incidents.md)."""

import asyncio
from pathlib import Path

import pytest
import scenario_book

from eventd.contract import CatalogueRow
from eventd.model import REASON_CATEGORIES, SEVERITIES, Incident
from eventd.registry import load as load_handlers
from eventd.scenarios.book import read_scenario
from eventd.scenarios.play import Played

CATALOGUES = load_handlers().catalogues
#: Half of a replacement: the new SA is expected.
REPLACED = ("rekey", "lifetime")
#: The standby unit's own words for what the active one does.
STANDBY = ("receive backup delete info",)
#: Best explanation first, as docs/incidents.md lists them; administrative means the device's own doing, and what the
#: peer asked for stands below whatever a catalogue knows and does not call harmless.
EXPLAINS = (
    "authentication", "configuration", "address", "capacity", "dns", "policy-track", "administrative",
    "peer-unreachable", "sa-desync", "lifetime", "rekey", "known", "peer request", "unknown",
)  # fmt: skip
UP = "+0s FW1 syslog ipsec.tunnel.start peer=203.0.113.7"
STOP = '+10m FW1 syslog ipsec.tunnel.stop peer=203.0.113.7 reason="{}"'
#: Tells a second tunnel of the peer from the one above, where the vendor's messages say which it is.
ANOTHER = {"huawei": ' rule=6 flow="10.1.3.0/0.0.0.255 10.1.1.0/0.0.0.255 0 0 0"'}


def rows(space: str) -> list[CatalogueRow]:
    return [row for catalogue in CATALOGUES for row in catalogue.rows if row.space == space]


def names(row: CatalogueRow) -> str:
    return f"{row.vendor}-{row.reason.name}"


class Stage:
    """Plays timelines of one vendor's device; ``known`` puts the peer into the inventory."""

    def __init__(self, folder: Path, vendor: str) -> None:
        self._file, self._vendor = folder / "one.toml", vendor

    def play(self, *lines: str, until: str = "+30m", known: bool = False) -> Played:
        text = "\n".join(lines)
        peers = '[[peers]]\naddress = "203.0.113.7"\nname = "branch"\n' if known else ""
        head = f"title = 't'\nwhy = 'w'\nnothing = true\nuntil = '{until}'\n"
        self._file.write_text(f"{head}timeline = '''\n{text}\n'''\n{peers}[senders.FW1]\nvendor = '{self._vendor}'\n")
        return asyncio.run(scenario_book.player().play(read_scenario(self._file)))

    def incident(self, *lines: str, until: str = "+30m", known: bool = False) -> Incident:
        """The one incident that there must be, and of which somebody must have been told."""
        played = self.play(*lines, until=until, known=known)
        assert [one.last.kind for one in played.incidents if one.told] != []
        assert len(played.incidents) == 1, [one.last.title for one in played.incidents]
        return played.incidents[0].last


@pytest.fixture
def stage(tmp_path: Path, row: CatalogueRow) -> Stage:
    return Stage(tmp_path, row.vendor)


def rank(row: CatalogueRow) -> int:
    if row.reason.category == "administrative" and not row.reason.expected:
        return EXPLAINS.index("peer request")
    if row.reason.category == "unknown" and row.reason.severity != "info" and row.reason.name != "unspecified":
        return EXPLAINS.index("known")
    return EXPLAINS.index(row.reason.category)


def at_least(severity: str | None, floor: str) -> str:
    return max(severity or floor, floor, key=SEVERITIES.index)


def test_the_catalogues_are_there() -> None:
    assert len(rows("offline")) > 30
    assert len(rows("negotiation")) > 50
    assert {row.reason.category for row in rows("offline") + rows("negotiation")} <= set(REASON_CATEGORIES)


# --- a tunnel ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("offline"), ids=names)
def test_back_within_the_hold_is_told_to_nobody(stage: Stage, row: CatalogueRow) -> None:
    played = stage.play(UP, STOP.format(row.reason.name), UP.replace("+0s", "+10m12s"))
    assert played.told == []
    assert played.defects == 0


@pytest.mark.parametrize(
    "row",
    rows("offline"),
    ids=names,
)
def test_a_stop_and_nothing_after_it(stage: Stage, row: CatalogueRow) -> None:
    reason = row.reason
    lines = (UP, STOP.format(reason.name))
    if reason.name in STANDBY:
        played = stage.play(*lines)
        assert played.told == []
        assert played.suppressed["standby"]
        return
    if reason.category in REPLACED and not reason.needs_recovery_check:
        assert stage.play(*lines).told == []
        return
    soon = stage.incident(*lines, until="+10m31s")
    assert (soon.kind, soon.status) == ("tunnel_down", "open")
    assert soon.cause is not None
    assert soon.cause.name == reason.name
    on_purpose = reason.expected and reason.category not in REPLACED
    late = stage.incident(*lines, until="+26h")
    if on_purpose:
        assert soon.severity == reason.severity
        assert (late.status == "resolved") == (not reason.needs_recovery_check)
        assert late.severity == (at_least(reason.severity, "major") if reason.needs_recovery_check else reason.severity)
    else:
        assert soon.severity == ("major" if reason.severity == "info" else reason.severity)
        assert late.status == "open"
        assert late.severity == at_least(reason.severity, "major"), "a peer without a tunnel stays no warning"


@pytest.mark.parametrize(
    "row",
    [row for row in rows("offline") if row.reason.name not in STANDBY and row.vendor in ANOTHER],
    ids=names,
)
def test_while_another_tunnel_of_the_peer_works(stage: Stage, row: CatalogueRow) -> None:
    lines = (UP, UP + ANOTHER[row.vendor], STOP.format(row.reason.name))
    if row.reason.category in REPLACED and not row.reason.needs_recovery_check:
        assert stage.play(*lines).told == []
        return
    found = stage.incident(*lines)
    assert found.kind == "tunnel_degraded"
    assert found.cause is not None
    assert found.cause.name == row.reason.name


def after_a_wrong_key(stage: Stage, row: CatalogueRow) -> tuple[CatalogueRow, Incident]:
    """The row of the failure, and the incident after it: it comes four seconds after the stop and again later."""
    failure = next(
        found
        for found in rows("negotiation")
        if found.vendor == row.vendor and found.reason.category == "authentication" and found.reason.severity == "major"
    )
    fails = failures(failure, "+10m4s", "+10m20s", "+10m40s")
    return failure, stage.incident(UP, STOP.format(row.reason.name), *fails)


@pytest.mark.parametrize("row", [row for row in rows("offline") if row.reason.name not in STANDBY], ids=names)
def test_a_failure_after_it_that_explains_more_is_the_cause(stage: Stage, row: CatalogueRow) -> None:
    failure, found = after_a_wrong_key(stage, row)
    assert (found.kind, found.status) == ("tunnel_down", "open")
    assert found.cause is not None
    if row.reason.category != "authentication":
        assert found.cause.name == failure.reason.name
    if not row.reason.expected or row.reason.category in REPLACED:
        assert found.severity == at_least(row.reason.severity, "major")


@pytest.mark.parametrize(
    "row",
    [row for row in rows("offline") if row.reason.expected and row.reason.needs_recovery_check
     and row.reason.category not in REPLACED],
    ids=names,
)  # fmt: skip
def test_a_failure_after_a_stop_on_purpose_raises_it(stage: Stage, row: CatalogueRow) -> None:
    _, found = after_a_wrong_key(stage, row)
    assert found.severity == "major"


# --- a tunnel is not made --------------------------------------------------------------------------------------------


def failures(row: CatalogueRow, *times: str) -> list[str]:
    return [f'{at} FW1 syslog ipsec.negotiation.fail peer=203.0.113.7 reason="{row.reason.name}"' for at in times]


@pytest.mark.parametrize("row", rows("negotiation"), ids=names)
def test_a_site_that_never_comes_up(stage: Stage, row: CatalogueRow) -> None:
    found = stage.incident(*failures(row, "+0s", "+20s", "+40s"), known=True)
    assert (found.kind, found.status, found.count) == ("negotiation_failing", "open", 3)
    assert found.cause is not None
    assert found.cause.name == row.reason.name
    assert found.severity == row.reason.severity
    assert found.actions


@pytest.mark.parametrize("row", rows("negotiation"), ids=names)
def test_that_comes_up_after_all(stage: Stage, row: CatalogueRow) -> None:
    up = UP.replace("+0s", "+2m")
    assert stage.incident(*failures(row, "+0s", "+20s"), up, known=True).status == "resolved"
    assert stage.play(*failures(row, "+0s"), UP.replace("+0s", "+10s"), known=True).told == []


@pytest.mark.parametrize("row", rows("negotiation"), ids=names)
def test_after_the_peer_asked_for_the_end(stage: Stage, row: CatalogueRow) -> None:
    """`peer request` explains less than anything but what is unknown or harmless."""
    wanted = EXPLAINS.index("peer request")
    asked = next(found for found in rows("offline") if found.vendor == row.vendor and rank(found) == wanted)
    found = stage.incident(UP, STOP.format(asked.reason.name), *failures(row, "+10m3s", "+10m23s"))
    assert found.kind == "tunnel_down"
    assert found.cause is not None
    assert found.cause.name == (row.reason.name if rank(row) < rank(asked) else asked.reason.name)


@pytest.mark.parametrize(
    ("row", "code"),
    [pytest.param(row, code, id=f"{names(row)}-{code}") for row in rows("negotiation") for code in row.codes],
)
def test_a_code_alone_says_the_same(stage: Stage, row: CatalogueRow, code: int) -> None:
    fails = [f'{at} FW1 syslog ipsec.negotiation.fail peer=203.0.113.7 reason="" code={code}' for at in ("+0s", "+20s")]
    found = stage.incident(*fails, known=True)
    assert found.cause is not None
    assert (found.cause.name, found.cause.category) == (row.reason.name, row.reason.category)
