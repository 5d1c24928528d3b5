"""``eventd devices``: what was learned, for people and programs, and as an inventory that eventd reads."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs
from web_fakes import EPOCH, FakeService, Site, serving

from eventd.cli import main
from eventd.config import load
from eventd.inventory import Device, Inventory

HOSTILE = 'F"W\\3\x1b[2J\x7f\U000e0001'


@pytest.fixture(autouse=True)
def _no_log():
    with capture_logs():
        yield


@pytest.fixture
async def site():
    known = Inventory([Device(name="hub", hostnames=("FW9",))])
    async with serving(FakeService(inventory=known)) as site:
        story = (
            "0 start local=198.51.100.1\n1 start device=FW2 local=198.51.100.9\n2 start device=FW4 local=198.51.100.9"
        )
        await site.service.tell(story, until=10)
        learned = {"192.0.2.1": "FW1", "192.0.2.2": "FW2", "192.0.2.3": HOSTILE, "192.0.2.9": "FW9"}
        site.service.identities.learned.update({source: {name: EPOCH} for source, name in learned.items()})
        site.service.last_heard.update(dict.fromkeys(("FW1", HOSTILE, "192.0.2.5"), EPOCH))
        yield site


async def run(site: Site, *arguments: str) -> Result:
    result = await asyncio.to_thread(CliRunner().invoke, main, ["devices", "--url", site.url, *arguments])
    assert result.exit_code == 0, result.output
    return result


async def test_what_was_learned_is_an_inventory_that_eventd_reads(site: Site, tmp_path: Path) -> None:
    text = (await run(site, "-f", "toml")).stdout
    (tmp_path / "peers.toml").write_text(text)
    (tmp_path / "eventd.toml").write_text('inventory = "peers.toml"\n')
    found = {device.name: device for device in load(str(tmp_path / "eventd.toml")).inventory.devices}
    assert found == {
        "FW1": Device(name="FW1", addresses=("192.0.2.1", "198.51.100.1")),
        "FW2": Device(name="FW2", addresses=("192.0.2.2",)),
        "FW4": Device(name="FW4"),
        HOSTILE: Device(name=HOSTILE, addresses=("192.0.2.3",)),
        "192.0.2.5": Device(name="192.0.2.5", addresses=("192.0.2.5",)),
    }
    assert text.count('# also used by others: "198.51.100.9"') == 2
    assert '# "hub" is in the inventory, without these:\n# addresses = ["192.0.2.9"]' in text
    assert "\x1b" not in text
    assert "\x7f" not in text


async def test_it_is_a_table_for_people_and_lines_for_programs(site: Site) -> None:
    text = (await run(site)).stdout
    assert text.splitlines()[0].split()[:2] == ["device", "last"]
    assert any(row.split()[0] == "hub" and "never" in row and "192.0.2.9" in row for row in text.splitlines())
    assert "\x1b" not in text
    rows = [json.loads(line) for line in (await run(site, "-f", "json")).stdout.splitlines()]
    assert [row["device"] for row in rows] == sorted(row["device"] for row in rows)
    assert len(rows) == 6
    [row] = [json.loads(line) for line in (await run(site, "-f", "json", "--device", "FW2")).stdout.splitlines()]
    assert row["learned"]["sources"] == {"count": 1, "items": ["192.0.2.2"]}


async def test_nobody_was_heard_yet() -> None:
    async with serving() as site:
        assert "No device was heard yet" in (await run(site)).stdout
        assert (await run(site, "-f", "toml")).stdout.startswith("# no device")
