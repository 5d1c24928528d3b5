"""What the store of a service says of those who send to it."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from doctoring import bad, config
from huawei_lines import event
from msgspec.structs import replace
from storm import stop_line

from eventd.config import load
from eventd.contract import Batch, JournalRow
from eventd.doctor import senders
from eventd.model import Event
from eventd.store import Settings, SqliteStore

INVENTORY = """
[[devices]]
name = "core"
hostnames = ["FW1"]
[[devices]]
name = "branch"
addresses = ["192.0.2.77"]
[[devices]]
name = "silent"
hostnames = ["FW9"]
"""


def heard(source: str, device: str, skew_s: float = 0.0) -> Event:
    one = event(stop_line(1, device=device))
    return replace(one, source=source, device_time=one.received_at + timedelta(seconds=skew_s))


async def keep(folder: Path, events: Iterable[Event], learned: dict[str, dict[str, float]] | None = None) -> None:
    store = await SqliteStore.open(Settings(path=str(folder / "eventd.db")))
    await store.commit(Batch(journal=[JournalRow(one) for one in events]))
    if learned is not None:
        await store.meta_set("learned_hostnames", msgspec.json.encode(learned).decode())
    await store.close()


async def test_several_host_names_behind_one_address_from_the_journal_and_from_what_was_learned(tmp_path: Path) -> None:
    events = [heard("192.0.2.1", "FW1"), heard("192.0.2.1", "FW2"), heard("192.0.2.3", "FW3")]
    await keep(tmp_path, events, {"192.0.2.4": {"A": 1.0, "B": 2.0}, "192.0.2.3": {"FW3": 1.0}})
    found = list(senders.examine(config(tmp_path)))
    assert [seen for level, seen in bad(found) if level == "warning"] == [
        "192.0.2.1 speaks for FW1, FW2",
        "192.0.2.4 speaks for A, B",
    ]
    assert any('trusted_forwarders = ["192.0.2.1"]' in (finding.advice or "") for finding in found)


async def test_a_trusted_forwarder_may_speak_for_several(tmp_path: Path) -> None:
    await keep(tmp_path, [heard("192.0.2.1", "FW1"), heard("192.0.2.1", "FW2")])
    assert bad(senders.examine(config(tmp_path, snmp='trusted_forwarders = ["192.0.2.0/24"]'))) == []


async def test_one_name_per_address_is_fine(tmp_path: Path) -> None:
    await keep(tmp_path, [heard("192.0.2.1", "FW1")], {"192.0.2.1": {"FW1": 1.0}})
    assert bad(senders.examine(config(tmp_path))) == []


@pytest.mark.parametrize(
    ("skew", "said"), [(28_800.0, "28800 s ahead of us"), (-300.0, "300 s behind us"), (5.0, None)]
)
async def test_a_device_whose_clock_is_off(skew: float, said: str | None, tmp_path: Path) -> None:
    await keep(tmp_path, [heard("192.0.2.1", "FW1", skew)] * 5)
    found = [seen for _, seen in bad(senders.examine(config(tmp_path)))]
    assert found == ([] if said is None else [f"FW1 is {said}"])


async def test_devices_of_the_inventory_that_were_never_heard(tmp_path: Path) -> None:
    (tmp_path / "peers.toml").write_text(INVENTORY)
    path = config(tmp_path).path
    assert path is not None
    Path(path).write_text('inventory = "peers.toml"\n' + Path(path).read_text())
    await keep(tmp_path, [replace(heard("192.0.2.1", "FW1"), device="core")], {"192.0.2.77": {"anything": 1.0}})
    [(level, seen)] = bad(senders.examine(load(path)))
    assert (level, seen) == ("warning", "of 3 devices in the inventory nothing was ever heard from silent")


def test_without_a_store_nothing_is_known_and_none_is_made(tmp_path: Path) -> None:
    assert [finding.level for finding in senders.examine(config(tmp_path))] == ["note"]
    assert not (tmp_path / "eventd.db").exists()


def test_a_store_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "eventd.db").write_text("no database at all, but long enough to look like one " * 100)
    [(level, seen)] = bad(senders.examine(config(tmp_path)))
    assert level == "warning"
    assert "cannot be read" in seen


async def test_only_the_first_of_many_are_named(tmp_path: Path) -> None:
    await keep(tmp_path, [], {f"192.0.2.{n}": {"A": 1.0, "B": 2.0} for n in range(1, 31)})
    found = bad(senders.examine(config(tmp_path)))
    assert len(found) == senders.MAX_NAMED + 1
    assert found[-1][1] == "20 more sources speak for several devices each"
