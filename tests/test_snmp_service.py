"""SNMP through pipeline and app: informs repeated, Reports limited, engines told of, our own boots kept."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import snmp_strategies as some
import structlog
from snmp_strategies import DEVICE_ENGINE, NOW, OTHER_ENGINE, Device, user

from eventd import correlate
from eventd.app import App
from eventd.config import load as load_config
from eventd.correlate import Correlator
from eventd.decode import Decoder
from eventd.gauges import Gauges
from eventd.inventory import Device as Row
from eventd.inventory import Inventory
from eventd.kept_engines import KeptEngines
from eventd.model import Event, Message
from eventd.parse import snmp, snmp_pdu, snmp_v3, usm
from eventd.parse.ber import encode_integer, encode_octets, encode_sequence
from eventd.parse.engines import MAX_BOOTS, Engines
from eventd.pipeline import Intake, Pipeline
from eventd.registry import load
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry

REGISTRY = load()
OURS = bytes.fromhex("80007ed90401020304")
HERE, THERE = "192.0.2.1", "192.0.2.2"
INFORM = snmp_pdu.encode_pdu(snmp_pdu.INFORM, 99, some.STOP)


def probe() -> bytes:
    """What a sender of informs begins with: no engine, no user (RFC 3414 section 4)."""
    empty, zero = encode_octets(b""), encode_integer(0)
    params = encode_sequence(empty, zero, zero, empty, empty, empty)
    flags = encode_octets(bytes([usm.REPORTABLE_FLAG]))
    header = encode_sequence(encode_integer(7), encode_integer(65_507), flags, encode_integer(3))
    scoped = snmp_v3.encode_scope(b"", b"", snmp_pdu.encode_pdu(0xA0, 31, some.bindings()))
    return encode_sequence(encode_integer(3), header, encode_octets(params), scoped)


class House:
    """A pipeline around an `Access`, fed by hand."""

    def __init__(self, *users: usm.User, inventory: Inventory | None = None, relays: tuple[str, ...] = ()) -> None:
        self.telemetry, self.intake, self.store = Telemetry(), Intake(), MemoryStore()
        self.now = NOW
        self.answers: list[bytes] = []
        known = inventory or Inventory()
        self.access = snmp.Access(["public"], users, OURS, boots=4, started_at=NOW - 1000)
        self.decoder = Decoder(REGISTRY, known, self.access, relays)
        self.pipeline = Pipeline(
            intake=self.intake,
            decoder=self.decoder,
            correlator=Correlator(correlate.Settings(), known),
            store=self.store,
            telemetry=self.telemetry,
            route=lambda *_: [],
            enqueued=lambda: None,
            clock=lambda: self.now,
        )

    def receive(self, payload: bytes, source: str = HERE) -> None:
        transport = snmp.transport_of(payload)
        self.telemetry.inc("received", transport)
        self.intake.put([Message(transport, source, 5000, self.now, payload, self.answers.append)])

    async def finish(self) -> None:
        self.intake.close()
        await self.pipeline.run()

    def total(self, name: str) -> float:
        return sum(self.telemetry.values(name).values())

    def device(self, payload: bytes, source: str = HERE) -> str:
        event = self.decoder.decode(Message(snmp.transport_of(payload), source, 162, self.now, payload))
        assert isinstance(event, Event), event
        return event.device


def v3_inform(who: usm.User, msg_id: int, now: float = NOW, pdu: bytes = INFORM) -> bytes:
    sender = Device(who, OURS, 4, NOW - 1000)
    return sender.message(pdu, now=now, msg_id=msg_id, flags=usm.REPORTABLE_FLAG, context_engine=DEVICE_ENGINE)


# --- informs -------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3413 §3.3", "a repeated inform is answered again and counted once, however late it comes")
@pytest.mark.parametrize("level", [None, *usm.LEVELS], ids=str)
async def test_a_repeated_inform_is_answered_again_and_counted_once(level: str | None) -> None:
    house = House(*[user(level)] if level else [])
    for number in range(4):  # every 15 s, as Huawei and H3C do; longer than any twin window
        house.now = NOW + 15 * number
        house.receive(v3_inform(user(level), number, house.now) if level else some.v2c(tag=snmp_pdu.INFORM))
    await house.finish()
    assert len(house.answers) == 4
    assert (house.total("events"), house.total("correlated"), house.total("duplicates")) == (4, 1, 3)
    rows = (await house.store.events()).items
    assert len(rows) == 4


@pytest.mark.conformance(
    "RFC 3416 §4.2.7", "informs that differ in sender, request-id or variables are not repetitions"
)
async def test_another_inform_is_no_repetition() -> None:
    house = House(user())
    other = some.bindings(some.UPTIME, some.name(), some.bind("1.3.6.1.4.1.1.1", 4, b"x"))
    house.receive(some.v2c(tag=snmp_pdu.INFORM))
    house.receive(some.v2c(tag=snmp_pdu.INFORM), THERE)
    house.receive(some.v2c(tag=snmp_pdu.INFORM, request_id=7))
    house.receive(some.v2c(other, tag=snmp_pdu.INFORM))
    house.receive(v3_inform(user(), 1))
    await house.finish()
    assert len(house.answers) == 5
    assert len(house.access.memory.informs) == 5


@pytest.mark.conformance(
    "RFC 3416 §4.2.7", "an inform that is well formed and means nothing to us is answered and kept"
)
async def test_an_inform_that_cannot_be_decoded_is_answered_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not answering would make its sender repeat it for ever, to the same end."""
    house = House()

    def broken(*_: Any) -> Event:
        raise RuntimeError("bug")

    monkeypatch.setattr(house.decoder, "_trap", broken)
    house.receive(some.v2c(tag=snmp_pdu.INFORM))
    await house.finish()
    assert len(house.answers) == 1
    assert house.telemetry.value("rejected", "snmp-inform", "handler_error") == 1
    assert len((await house.store.malformed()).items) == 1


# --- Reports -------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3414 §11.1", "discovery by anybody is limited per address and leaves nothing behind")
async def test_a_flood_of_discoveries_fills_no_table_and_no_store() -> None:
    """They need no key, and their source may be forged."""
    house = House(user())
    for number in range(300):
        house.receive(probe(), f"198.51.100.{number % 3}")
    await house.finish()
    assert len(house.answers) == 15
    assert len((await house.store.malformed()).items) == 0
    assert house.telemetry.value("snmp_usm_errors", "unknown_engine") == 300
    assert len(house.access.engines) == 0


@pytest.mark.conformance("RFC 3414 §11.1", "one source address gets five Reports a second, others their own five")
async def test_reports_are_limited_per_source() -> None:
    house = House(user())
    wrong = usm.User("fw", "authPriv", "SHA256", b"other-password", "AES128", b"priv-password")
    for number in range(50):
        house.receive(v3_inform(wrong, number))
    house.receive(v3_inform(wrong, 99), THERE)
    await house.finish()
    assert len(house.answers) == 6
    reports = {labels[0]: n for labels, n in house.telemetry.values("snmp_reports").items()}
    assert reports == {"sent": 6, "limited": 45}
    assert house.telemetry.value("snmp_usm_errors", "wrong_digest") == 51


# --- engines -------------------------------------------------------------------------------------------------------


async def test_changes_of_engines_are_counted_and_logged() -> None:
    house = House(user())
    first, second = Device(user()), Device(user(), OTHER_ENGINE)
    with structlog.testing.capture_logs() as logs:
        house.receive(first.message(msg_id=1))
        house.receive(first.message(msg_id=2), THERE)
        house.receive(second.message(msg_id=3))
        house.receive(Device(user(), boots=3).message(msg_id=4))
        await house.finish()
    counted = {labels[0]: n for labels, n in house.telemetry.values("snmp_engine_changes").items() if n}
    assert counted == {"learned": 2, "moved": 1, "shared": 1, "boots_back": 1}
    told = {line["event"]: line for line in logs if line["event"].startswith("SNMP engine")}
    moved = told["SNMP engine: moved"]
    assert (moved["log_level"], moved["engine"], moved["detail"]) == (
        "warning",
        DEVICE_ENGINE.hex(),
        f"{HERE} to {THERE}",
    )
    assert told["SNMP engine: boots_back"]["detail"].startswith("boots 7 to 3")


def test_an_event_is_named_by_the_address_its_engine_is_pinned_to() -> None:
    house = House(user())
    first, second = Device(user()), Device(user(), OTHER_ENGINE)
    assert house.device(first.message(msg_id=1)) == HERE
    assert house.device(first.message(msg_id=2), THERE) == HERE
    assert house.device(second.message(msg_id=3)) == OTHER_ENGINE.hex(), "not the name of the first"
    assert house.device(some.v2c()) == HERE


async def test_a_fleet_behind_one_address_is_taken_and_told_apart() -> None:
    house = House(user())
    for number in range(50):
        engine_id = b"\x80\x00\x07\xdb\x03" + number.to_bytes(6, "big")
        house.receive(Device(user(), engine_id).message(msg_id=number))
    await house.finish()
    counted = {labels[0]: n for labels, n in house.telemetry.values("snmp_engine_changes").items() if n}
    assert counted == {"learned": 50, "shared": 49}
    assert len({row.event.device for row in (await house.store.events()).items}) == 50


def test_engines_behind_a_trusted_forwarder_go_by_their_ids() -> None:
    """Its address is nobody's: the first engine heard behind it must not get it for a name."""
    house = House(user(), user("noAuthNoPriv", "open"), relays=("192.0.2.0/24",))
    for number, engine_id in enumerate((DEVICE_ENGINE, OTHER_ENGINE)):
        assert house.device(Device(user(), engine_id).message(msg_id=number)) == engine_id.hex()
    assert not house.access.engines.changes["shared"]
    assert house.device(Device(user("noAuthNoPriv", "open"), OTHER_ENGINE).message(msg_id=9)) == HERE


def test_the_inventory_names_engines_wherever_they_speak_from() -> None:
    rows = [Row("A", engine_ids=(DEVICE_ENGINE.hex(),)), Row("B", engine_ids=(OTHER_ENGINE.hex(),))]
    house = House(user(), user("noAuthNoPriv", "open"), inventory=Inventory(rows))
    assert house.device(Device(user()).message(msg_id=1)) == "A"
    assert house.device(Device(user(), OTHER_ENGINE).message(msg_id=2)) == "B"
    assert house.device(Device(user()).message(msg_id=3), THERE) == "A"
    forged = Device(user("noAuthNoPriv", "open")).message(msg_id=4)
    assert house.device(forged, "198.51.100.66") == "198.51.100.66", "anybody can name an engine without a key"
    assert house.device(v3_inform(user(), 5), "198.51.100.66") == "198.51.100.66", "or in the context of an inform"
    assert house.device(v3_inform(user(), 6, pdu=snmp_pdu.encode_pdu(snmp_pdu.INFORM, 98, some.STOP))) == "A"


# --- our own engine ------------------------------------------------------------------------------------------------

CONFIG = """
[receivers.snmp]
listen = "127.0.0.1:0"
{}
[store]
path = "{}"
[web]
listen = "127.0.0.1:0"
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    """Runs eventd once and returns its own engine id, boots and what `look` says."""
    path = tmp_path / "eventd.toml"

    async def start(extra: str = "", look: Any = lambda _: None) -> tuple[bytes, int, Any]:
        path.write_text(CONFIG.format(extra, tmp_path / "eventd.db"))
        seen: list[Any] = []

        def ready(app: App) -> None:
            table = app.pipeline.decoder.access.usm
            seen.extend([table.engine_id, table.clock(app.now())[0], look(app)])
            app.stop()

        await App(lambda: load_config(str(path))).run(ready)
        return seen[0], seen[1], seen[2]

    return start


@pytest.mark.conformance("RFC 3414 §2.2", "our engine id stays over restarts, our boots count up, per engine id")
async def test_our_engine_id_stays_and_our_boots_count_up(started: Any) -> None:
    own_id, boots, _ = await started()
    assert boots == 1
    assert [(await started())[:2] for _ in range(2)] == [(own_id, 2), (own_id, 3)]
    other = 'engine_id = "80000000050102030405060708"'
    assert (await started(other))[1] == 1
    assert (await started())[:2] == (own_id, 4)


@pytest.mark.conformance("RFC 3414 §2.2.2", "our boots latch at their maximum")
async def test_our_boots_latch(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own_id, *_ = await started()
    monkeypatch.setattr("eventd.store.sqlite.SqliteStore.meta_get", _latched(own_id))
    assert (await started())[1] == MAX_BOOTS


def _latched(own_id: bytes) -> Any:
    kept = {"snmp_engine_id": own_id.hex(), f"snmp_engine_boots:{own_id.hex()}": str(MAX_BOOTS)}

    async def meta_get(_store: Any, key: str) -> str | None:
        return kept.get(key)

    return meta_get


GOOD = Device(user()).message(msg_id=1)
SPOILT = GOOD[:-1] + bytes([GOOD[-1] ^ 1])
FLAGS = b"\x04\x01\x03\x02\x01\x03"
#: standard object → a message that it counts
COUNTED = {
    "snmpInBadVersions": some.v2c().replace(b"\x02\x01\x01", b"\x02\x01\x07", 1),
    "snmpInBadCommunityNames": some.v2c(community=b"wrong"),
    "snmpInASNParseErrs": some.v2c()[:-1],
    "snmpUnknownSecurityModels": GOOD.replace(FLAGS, b"\x04\x01\x03\x02\x01\x02"),
    "snmpInvalidMsgs": GOOD.replace(FLAGS, b"\x04\x01\x02\x02\x01\x03"),
    "snmpUnknownPDUHandlers": Device(user()).message(snmp_pdu.encode_pdu(0xA0, 1, some.bindings())),
    "usmStatsUnsupportedSecLevels": Device(user(name="plain")).message(name="plain"),
    "usmStatsNotInTimeWindows": Device(user(), boots=MAX_BOOTS).message(),
    "usmStatsUnknownUserNames": Device(user()).message(name="mallory"),
    "usmStatsUnknownEngineIDs": Device(user()).message(INFORM),
    "usmStatsWrongDigests": SPOILT,
    "usmStatsDecryptionErrors": Device(user(priv="DES")).message(),
}


@pytest.mark.conformance("RFC 3414 §5", "each standard counter counts the messages it is there for, and no other does")
@pytest.mark.parametrize("name", COUNTED)
async def test_each_standard_counter_counts_its_own(name: str) -> None:
    house = House(user(), user("noAuthNoPriv", "plain"))
    house.receive(COUNTED[name])
    await house.finish()
    counted = Gauges(SimpleNamespace(telemetry=house.telemetry))._snmp_mib()  # type: ignore[arg-type]
    assert {label: n for (label,), n in counted.items() if n} == {"snmpInPkts": 1, name: 1}
    assert counted.keys() == {("snmpInPkts",), *((known,) for known in COUNTED)}


async def test_the_standard_counters_are_those_of_the_ledger(started: Any) -> None:
    def look(app: App) -> dict[str, float]:
        app.telemetry.inc("received", "snmp-v3", n=5)
        app.telemetry.inc("received", "syslog-udp", n=9)
        for reason in ("wrong_digest", "bad_ber", "bad_varbind", "level_too_low"):
            app.telemetry.inc("rejected", "snmp-v3", reason)
        app.telemetry.inc("rejected", "syslog-udp", "bad_pri")
        return {labels[0]: n for labels, n in app.telemetry.values("snmp_mib").items()}

    found = (await started(look=look))[2]
    assert found.pop("snmpInPkts") == 5
    assert {name: n for name, n in found.items() if n} == {"usmStatsWrongDigests": 1, "snmpInASNParseErrs": 2}
    assert len(found) == 12


async def test_learned_engines_outlive_us(started: Any) -> None:
    def learn(app: App) -> None:
        engines = app.pipeline.decoder.access.engines
        assert engines.in_window(DEVICE_ENGINE, 7, 100, NOW)
        engines.locate(DEVICE_ENGINE, HERE, NOW, proven=True)

    await started(look=learn)
    kept = (await started(look=lambda app: app.pipeline.decoder.access.engines.snapshot()))[2]
    assert kept == {DEVICE_ENGINE.hex(): (7, 100, NOW, HERE, NOW, HERE)}


class Meta:
    """The store's small values, and how often they were written."""

    def __init__(self, **kept: str) -> None:
        self.kept, self.writes = kept, 0

    async def meta_get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def meta_set(self, key: str, value: str) -> None:
        self.kept[key], self.writes = value, self.writes + 1


async def test_engines_are_saved_when_something_was_learned_and_else_seldom() -> None:
    engines, meta = Engines(), Meta()
    kept = KeptEngines(meta, engines)
    await kept.restore()
    engines.in_window(DEVICE_ENGINE, 7, 100, NOW)
    writes = []
    for now, time in ((NOW, 100), (NOW + 5, 105), (NOW + 3601, 3701), (NOW + 3605, 3705)):
        engines.in_window(DEVICE_ENGINE, 7, time, now)
        await kept.save(now)
        writes.append(meta.writes)
    assert writes == [1, 1, 2, 2]
    engines.in_window(DEVICE_ENGINE, 8, 1, NOW + 3606)
    await kept.save(NOW + 3606)
    assert meta.writes == 3


@pytest.mark.parametrize("kept", ["[]", "{", '{"xyz": [1, 2, 3]}', '{"80": [1]}', '{"80": ["a", 2, 3]}', '{"80": 7}'])
async def test_what_cannot_be_read_of_engines_costs_only_itself(kept: str) -> None:
    engines = Engines()
    await KeptEngines(Meta(learned_engines=kept), engines).restore()
    assert len(engines) == 0


async def test_exceptions_for_engines_are_read_and_checked(started: Any, tmp_path: Path) -> None:
    row = '[[receivers.snmp.engines]]\nengine_id = "{}"\naccept_boots_reset = true\n'
    config = (await started(row.format("80:00:07:db:01"), lambda app: app.config))[2]
    assert config.access_allowances[bytes.fromhex("800007db01")].accept_boots_reset
    path = tmp_path / "bad.toml"
    path.write_text("[receivers.snmp]\n" + row.format("800007db01") * 2 + row.format("xyz"))
    with pytest.raises(Exception, match="listed twice") as caught:
        load_config(str(path))
    assert "'xyz' is not an engine id" in str(caught.value)
