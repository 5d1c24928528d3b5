"""``eventd outbox`` against a real server: what it lists, what it does, and how it fails."""

import asyncio
import json
import re

import pytest
from click.testing import CliRunner, Result
from correlate_strategies import EPOCH
from structlog.testing import capture_logs
from web_fakes import FakeService, Site, serving

from eventd.cli import main, remote, story
from eventd.contract import Batch, Settled
from eventd.model import Notification, utc
from eventd.web.settings import Token

READ, OPERATE = "read-token-0123456789", "operate-token-0123456789"
TOKENS = {READ: Token(name="screen", role="read"), OPERATE: Token(name="ann", role="operate")}


@pytest.fixture(autouse=True)
def _no_log():
    """The server runs in this process, and must not write where the commands write."""
    with capture_logs():
        yield


@pytest.fixture
async def site():
    """On each of two channels one dead (``dead…``) and one that waits (``wait…``)."""
    async with serving(FakeService(tokens=TOKENS)) as site:
        site.service.channels = [{"name": "noc", "type": "slack"}, {"name": "pager", "type": "webhook"}]
        await site.service.tell("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2 device=FW2", until=60)
        one, two = site.service.correlator.open_incidents()
        for channel in ("noc", "pager"):
            await put(site, Notification(f"dead{channel}", channel, "opened", one, utc(EPOCH + 20)))
            await site.service.store.claim(channel, EPOCH + 60)
            await site.service.store.settle(Settled(f"dead{channel}", "dead", error="refused: answered 404"))
            await put(site, Notification(f"wait{channel}", channel, "opened", two, utc(EPOCH + 30)))
        yield site


async def put(site: Site, told: Notification) -> None:
    await site.service.store.commit(Batch(notifications=[told]))


async def run(site: Site, *arguments: str, token: str = OPERATE) -> Result:
    env = {"EVENTD_URL": site.url, "EVENTD_TOKEN": token}
    return await asyncio.to_thread(CliRunner().invoke, main, ["outbox", *arguments], env=env)


async def done(site: Site, *arguments: str) -> str:
    result = await run(site, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


async def left(site: Site, *arguments: str) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (await done(site, "list", "-f", "json", *arguments)).splitlines()]
    return [(row["id"], row["state"]) for row in rows]


async def test_what_was_not_delivered_is_a_table_for_people_and_lines_for_programs(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    heading, *rows = (await done(site, "list", "--channel", "noc")).splitlines()
    assert heading.split()[:3] == ["id", "state", "channel"]
    assert [row.split()[:3] for row in rows] == [["waitnoc", "pending", "noc"], ["deadnoc", "dead", "noc"]]
    assert "opened: 2.1.1.1 down on FW1: dpd timeout" in rows[1]
    assert rows[1].endswith("refused: answered 404")
    assert await left(site, "--state", "dead") == [("deadpager", "dead"), ("deadnoc", "dead")]
    limited = await run(site, "list", "--limit", "1")
    assert limited.stderr == "There are more than 1; --limit shows more.\n"
    monkeypatch.setattr(remote, "MAX_PAGE", 1)
    assert len(await left(site, "--limit", "3")) == 3, "of however many pages"
    assert await done(site, "list", "--channel", "pigeon") == "There is none.\n"


async def test_why_a_channel_fails_is_said_where_no_row_that_is_shown_says_it(site: Site) -> None:
    began, why = utc(EPOCH + 40), "refused: https://noc answered 403"
    site.service.channels[0] |= {"failing_since": began, "error": why}
    said = f"noc fails since {story.moment(began, story.now())}: {why}"
    assert (await done(site, "list", "--channel", "noc")).splitlines()[-1] == said
    assert said not in await done(site, "list", "--channel", "pager")
    await site.service.store.claim("noc", EPOCH + 60)
    await site.service.store.settle(Settled("waitnoc", "retry", EPOCH + 90, error=why))
    assert said not in await done(site, "list", "--channel", "noc")


async def test_what_is_about_one_incident_is_found_by_the_beginning_of_its_id(site: Site) -> None:
    one, two = site.service.correlator.open_incidents()
    await site.service.store.claim("noc", EPOCH + 60)
    await site.service.store.settle(Settled("waitnoc", "delivered"))
    assert one.id[:6] != two.id[:6]
    [heading, row] = (
        await done(site, "list", "--state", "delivered", "--channel", "noc", "--incident", two.id[:6])
    ).splitlines()
    assert "stands (UTC)" in heading
    assert row.split()[:2] == ["waitnoc", "delivered"]
    assert re.search(r" told at (\S+ )?\d\d:\d\d:\d\d", row)
    assert await left(site, "--incident", one.id[:6].upper(), "--channel", "noc") == [("deadnoc", "dead")]
    nobody = await run(site, "list", "--incident", "zz")
    assert (nobody.exit_code, nobody.stderr) == (1, "eventd: no incident's id begins with 'zz'\n")


async def test_one_is_tried_again_by_the_beginning_of_its_id(site: Site) -> None:
    text = await done(site, "retry", "deadn", "waitn")
    [again] = [ident for ident, _ in await left(site, "--channel", "noc") if ident != "waitnoc"]
    one, two = site.service.correlator.open_incidents()
    assert text.splitlines() == [
        f"deadnoc is sent again as {again[:10]}: opened on noc: {one.title}",
        f"waitnoc is tried at once: opened on noc: {two.title}",
    ]
    assert site.service.tried_again == ["noc", "noc"]
    assert again[:10] in await done(site, "list", "--state", "dead")
    again_again = await run(site, "retry", "deadnoc", "waitpager")
    assert (again_again.exit_code, again_again.stderr) == (1, f"eventd: deadnoc was sent again as {again}\n")
    assert again_again.stdout.startswith("waitpager is tried at once")


async def test_all_that_were_given_up_are_sent_again(site: Site) -> None:
    assert len((await done(site, "retry", "--all-dead", "--channel", "pager")).splitlines()) == 1
    assert [state for _, state in await left(site, "--channel", "pager")] == ["pending", "pending"]
    assert (await done(site, "retry", "--all-dead")).startswith("deadnoc is sent again as ")
    assert await done(site, "retry", "--all-dead") == "There is none.\n"


async def test_one_is_dropped_and_so_is_all_of_a_channel(site: Site) -> None:
    assert (await done(site, "drop", "waitn", "--who", "night shift")).startswith("waitnoc is dropped: opened on noc")
    assert (await site.service.store.letter("waitnoc")).error == "dropped by night shift"
    assert len((await done(site, "drop", "--channel", "pager")).splitlines()) == 2
    assert await left(site) == [("deadnoc", "dead")]
    assert await done(site, "drop", "--channel", "pager") == "There is none.\n"
    for command in (["drop"], ["retry", "--all-dead"]):
        nope = await run(site, *command, "--channel", "nope")
        assert (nope.exit_code, nope.stderr) == (1, "eventd: there is no channel 'nope': noc, pager\n")


async def test_what_is_being_told_stays_and_the_others_go(site: Site) -> None:
    await site.service.store.claim("noc", EPOCH + 60)
    result = await run(site, "drop", "--channel", "noc")
    assert (result.exit_code, result.stderr) == (1, "eventd: waitnoc is being told right now\n")
    assert await left(site, "--channel", "noc") == [("waitnoc", "pending")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["retry"],
        ["drop"],
        ["retry", "x", "--all-dead"],
        ["drop", "x", "--channel", "y"],
        ["retry", "x", "--channel", "y"],
    ],
)
async def test_what_makes_no_sense_is_refused(site: Site, arguments: list[str]) -> None:
    result = await run(site, *arguments)
    assert (result.exit_code, result.output.count("Usage")) == (2, 1)


async def test_who_may_only_read_is_told_once(site: Site) -> None:
    result = await run(site, "drop", "--channel", "noc", token=READ)
    assert (result.exit_code, result.output.count("this one only reads")) == (1, 1)
    assert (await run(site, "retry", "nothing")).stderr == "eventd: no notification's id begins with 'nothing'\n"
