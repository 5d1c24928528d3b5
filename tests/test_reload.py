"""Start, reload and stop of a whole service in one process: races, failures half way, nothing lost without a word."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer
from notify_fakes import until
from service import free_port
from storm import stop_inform, stop_line

from eventd import app as app_module
from eventd.app import App
from eventd.config import load
from eventd.errors import StoreError
from eventd.receivers.udp import UdpReceiver
from eventd.store.base import ChannelTotals
from eventd.telling import Telling

BASE = """
[receivers.syslog_udp]
listen = "127.0.0.1:{udp}"
{receiver}
[store]
path = "{store}"
[web]
listen = "127.0.0.1:0"
{web}
[correlate]
outage_hold = "100ms"
{extra}
"""


class Running:
    """An App in this process on a file that a test may rewrite."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.udp = folder, folder / "eventd.toml", free_port()
        self.ready = asyncio.Event()
        self.write()
        self.app = App(lambda: load(str(self.path)))
        self.task: asyncio.Task[None] | None = None

    def write(self, extra: str = "", receiver: str = "", web: str = "", udp: int | None = None) -> None:
        text = BASE.format(udp=udp or self.udp, store=self.folder / "e.db", extra=extra, receiver=receiver, web=web)
        self.path.write_text(text)

    async def start(self) -> None:
        self.task = asyncio.create_task(self.app.run(lambda _: self.ready.set()))
        ready = asyncio.create_task(self.ready.wait())
        await asyncio.wait([self.task, ready], return_when=asyncio.FIRST_COMPLETED, timeout=10)
        ready.cancel()
        if self.task.done():
            await self.task

    async def stop(self, patience: float = 25.0) -> None:
        assert self.task is not None
        self.app.stop()
        _, late = await asyncio.wait([self.task], timeout=patience)
        if late:
            self.task.cancel()
            with contextlib.suppress(BaseException):
                await asyncio.wait_for(self.task, 5)
            raise AssertionError(f"no end {patience} s after stop")
        await self.task


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    house = Running(tmp_path)
    await house.start()
    yield house
    assert house.task is not None
    if not house.task.done():
        with contextlib.suppress(BaseException):
            await house.stop()


WEBHOOK = '[[channels]]\nname = "{name}"\ntype = "webhook"\nurl = "http://127.0.0.1:{port}/x"\n'


@pytest.fixture
def tar_pit() -> Iterator[int]:
    """A far end that takes connections and never answers."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(50)
        yield sock.getsockname()[1]


async def test_a_stop_during_a_reload_ends(running: Running, tar_pit: int) -> None:
    """reload is in `Telling.stop` (a try in flight, up to 10 s) when SIGTERM comes: it starts a new delivery behind
    the back of `_wind_down`, and the TaskGroup waits for it for ever."""
    running.write(WEBHOOK.format(name="a", port=tar_pit))
    assert await running.app.reload() is None
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(stop_line(1).encode(), ("127.0.0.1", running.udp))
    await asyncio.sleep(1.5)  # the hold is over and the webhook is being tried
    running.write(WEBHOOK.format(name="a", port=tar_pit).replace("/x", "/other"))
    reload = asyncio.create_task(running.app.reload())
    await asyncio.sleep(0.3)
    try:
        await running.stop(28.0)
    finally:
        reload.cancel()
        await asyncio.wait([reload])


async def test_a_reload_that_comes_during_the_stop_starts_nothing(running: Running) -> None:
    port = free_port()
    started: list[Any] = []
    wind_down = running.app._wind_down

    async def slow(pipeline: Any) -> None:
        await wind_down(pipeline)
        running.write(udp=port)
        await running.app.reload()
        started.extend(running.app.receivers)

    running.app._wind_down = slow  # type: ignore[method-assign]
    await running.stop()
    left = [key for key, receiver in running.app.receivers.items() if getattr(receiver, "_socket", None) is not None]
    for receiver in running.app.receivers.values():
        await receiver.stop()
    assert not left


async def test_a_reload_before_the_start_is_complete_is_refused_or_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal handler and the HTTP port are there before pipeline, delivery and receivers are."""
    house = Running(tmp_path)
    house.write('[[channels]]\nname = "x"\ntype = "console"\n')
    answers: list[Any] = []
    give_up = Telling._give_up_orphans

    async def meanwhile(self: Telling, config: Any) -> None:
        house.write('[[channels]]\nname = "y"\ntype = "console"\n')
        monkeypatch.setattr(Telling, "_give_up_orphans", give_up)
        try:
            answers.append(await asyncio.wait_for(house.app.reload(), 5))
        except BaseException as error:
            answers.append(error)
        await give_up(self, config)

    monkeypatch.setattr(Telling, "_give_up_orphans", meanwhile)
    failed: BaseException | None = None
    try:
        await house.start()
        await house.stop()
    except BaseException as error:
        failed = error
    assert failed is None
    assert not isinstance(answers[0], Exception), repr(answers)


async def test_a_store_failure_during_a_reload_does_not_end_delivery_for_good(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk full while channels change: `_give_up_orphans` raises when the old delivery is over and no new one began."""

    async def full(*_: Any) -> None:
        raise StoreError("database or disk is full")

    monkeypatch.setattr(running.app.telling, "_give_up_orphans", full)
    running.write('[[channels]]\nname = "other"\ntype = "console"\n')
    with contextlib.suppress(StoreError):
        await running.app.reload()
    assert not running.app.telling.task.done(), "nobody delivers anything any more, and /-/ready says 200"


async def test_a_reload_that_fails_unforeseen_keeps_the_receivers(running: Running) -> None:
    """TypeError of setsockopt is no EventdError: the old socket is gone, the new one never came."""
    running.write(receiver="recv_buffer_bytes = 4294967296")
    with contextlib.suppress(Exception):
        await running.app.reload()
    assert len(running.app.receivers) == 1
    assert running.app.telemetry.value("config_last_reload_successful") == 0


async def test_two_snmp_users_of_one_name_are_refused_by_a_reload(running: Running) -> None:
    users = (
        '[receivers.snmp]\nlisten = "127.0.0.1:0"\n'
        + '[[receivers.snmp.users]]\nname = "u"\nlevel = "noAuthNoPriv"\n' * 2
    )
    running.write(users)
    try:
        answer = await running.app.reload()
    except Exception as error:
        answer = None
        raise AssertionError(f"reload raised {error!r}; config_last_reload_successful stays 1") from error
    assert answer is not None


async def test_a_receiver_that_cannot_be_put_back_is_reported(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new address cannot be had, and the old one is gone too."""
    import socket

    running.write(udp=1)  # another address
    text = running.path.read_text().replace("127.0.0.1:1", "192.0.2.77:5514")
    running.path.write_text(text)
    thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    real_stop = UdpReceiver.stop

    async def stop_and_steal(self: Any, **kw: Any) -> None:
        await real_stop(self, **kw)
        with contextlib.suppress(OSError):
            thief.bind(("127.0.0.1", running.udp))

    monkeypatch.setattr(UdpReceiver, "stop", stop_and_steal)
    with contextlib.suppress(Exception):
        await running.app.reload()
    monkeypatch.undo()
    thief.close()
    healthy = running.app.not_ready() is None and running.app.telemetry.value("config_last_reload_successful") == 1
    assert not healthy


async def test_a_rotated_channel_secret_is_taken_by_a_reload(running: Running) -> None:
    """The file behind `url_file` changed, the settings that name it did not: channels are compared by settings."""
    (running.folder / "hook").write_text("http://127.0.0.1:9/old")
    running.write('[[channels]]\nname = "h"\ntype = "webhook"\nurl_file = "hook"\n')
    assert await running.app.reload() is None
    before = running.app.delivery
    (running.folder / "hook").write_text("http://127.0.0.1:9/new")
    assert await running.app.reload() is None
    assert running.app.delivery is not before


async def test_a_changed_template_is_taken_by_a_reload(running: Running) -> None:
    (running.folder / "t.j2").write_text("old")
    running.write('[[channels]]\nname = "c"\ntype = "console"\ntemplate_file = "t.j2"\n')
    assert await running.app.reload() is None
    before = running.app.delivery
    (running.folder / "t.j2").write_text("new")
    assert await running.app.reload() is None
    assert running.app.delivery is not before


async def test_a_changed_external_url_reaches_incidents(running: Running) -> None:
    running.write(web='external_url = "https://new.example.net"')
    assert await running.app.reload() is None
    assert running.app.correlator._desk.external_url == "https://new.example.net"


async def test_a_changed_engine_id_is_taken_or_said_to_need_a_restart(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(app_module.log, "warning", lambda text, **_: warned.append(text), raising=False)
    snmp = '[receivers.snmp]\nlisten = "127.0.0.1:0"\nengine_id = "{}"\n'
    running.write(snmp.format("80000000050102030405060708"))
    assert await running.app.reload() is None
    taken = running.app.pipeline.decoder.access.usm.engine_id.hex() == "80000000050102030405060708"
    assert taken or warned


async def test_changed_tokens_are_not_said_to_need_a_restart(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are taken at once."""
    warned: list[str] = []
    monkeypatch.setattr(app_module.log, "warning", lambda text, **_: warned.append(text), raising=False)
    running.write('[[web.tokens]]\nname = "ops"\ntoken = "0123456789abcdef"\nrole = "operate"\n')
    assert await running.app.reload() is None
    assert running.app.tokens
    assert not warned


async def test_a_setting_put_back_is_no_change(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs counts, not what the file said last."""
    warned: list[str] = []
    monkeypatch.setattr(app_module.log, "warning", lambda text, **_: warned.append(text), raising=False)
    told = [0]
    for extra in ('[log]\nlevel = "error"\n', '[log]\nlevel = "error"\n', ""):
        running.write(extra)
        assert await running.app.reload() is None
        told.append(len(warned))
    assert told == [0, 1, 2, 2]


async def test_drops_of_the_kernel_are_logged_and_told_by_the_status(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eventd import losses

    warned: list[dict[str, Any]] = []
    monkeypatch.setattr(losses.log, "warning", lambda _, **about: warned.append(about), raising=False)
    assert running.app.status()["losing"] is None
    [receiver] = running.app.receivers.values()
    for count in (1000, 1500):
        receiver.drops = lambda count=count: count  # type: ignore[method-assign,union-attr]
        await running.app.losses.look()
    assert [(one["transport"], one["lost"]) for one in warned] == [("syslog-udp", 1000)], "held back, and not forgotten"
    assert "net.core.rmem_max" in warned[0]["advice"]
    status = running.app.status()
    assert status["kernel_drops"] == {"syslog-udp": 1500}
    assert "within 10 minutes the kernel dropped 1500 syslog-udp before" in status["losing"]


async def test_a_loss_that_was_held_back_is_told_with_the_next_line_and_forgotten_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from eventd import losses

    warned: list[int] = []
    monkeypatch.setattr(losses.log, "warning", lambda _, **about: warned.append(about["lost"]), raising=False)
    now, dropped = [0.0], {("snmp",): 5.0}
    watch = losses.Losses(lambda: dropped, lambda: now[0])
    for at, count in ((0.0, 5.0), (10.0, 8.0), (61.0, 8.0), (70.0, 8.0)):
        now[0], dropped["snmp",] = at, count
        await watch.look()
    assert warned == [5, 3]
    now[0] = 400.0
    assert "dropped 8 snmp before" in str(watch.lately())
    now[0] = 1000.0
    assert watch.lately() is None


async def test_kernel_drops_of_a_replaced_receiver_stay_in_the_counter(running: Running) -> None:
    """A counter that goes down is a reset to Prometheus: the rest counts as new drops and pages somebody."""
    [receiver] = running.app.receivers.values()
    receiver.drops = lambda: 1000  # type: ignore[method-assign,union-attr]
    before = running.app.telemetry.value("kernel_drops", "syslog-udp")
    running.write(udp=free_port())
    assert await running.app.reload() is None
    assert running.app.telemetry.value("kernel_drops", "syslog-udp") >= before == 1000


async def test_a_chore_that_fails_unforeseen_does_not_end_the_service(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise OverflowError("Python int too large to convert to SQLite INTEGER")

    chore = asyncio.create_task(running.app._every(0.01, broken))
    await asyncio.sleep(0.1)
    ended = chore.done()
    chore.cancel()
    with contextlib.suppress(BaseException):
        await chore
    assert not ended


async def test_a_state_that_cannot_be_read_back_is_an_error_that_eventd_knows(tmp_path: Path) -> None:
    """After a downgrade, or with one damaged row."""
    from eventd.errors import EventdError

    house = Running(tmp_path)
    await house.start()
    await house.stop()
    with sqlite3.connect(tmp_path / "e.db") as db:
        db.execute("INSERT INTO states VALUES ('peer|a|public|1', x'00')")
    db.close()
    again = Running(tmp_path)
    try:
        await again.start()
    except EventdError:
        return
    await again.stop()


async def test_a_reload_with_a_large_inventory_does_not_hold_up_the_loop(running: Running) -> None:
    """20,000 peers are the size planned for; UDP overflows in the kernel meanwhile."""
    rows = "".join(
        f'[[peers]]\naddress = "10.{n >> 16}.{n >> 8 & 255}.{n & 255}"\nname = "p{n}"\n' for n in range(20_000)
    )
    (running.folder / "peers.toml").write_text(rows)
    running.path.write_text('inventory = "peers.toml"\n' + running.path.read_text())
    turns = 0

    async def heartbeat() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    beat = asyncio.create_task(heartbeat())
    assert await running.app.reload() is None
    beat.cancel()
    # read on the loop itself, it would get a handful; beside it, one about every time the interpreter changes threads
    assert turns > 30, f"the loop had {turns} turns while the configuration was read"


SNMP = '[receivers.snmp]\nlisten = "127.0.0.1:{}"\ncommunities = ["{}"]\n'


async def test_a_new_community_does_not_close_the_trap_socket(running: Running) -> None:
    """Communities and users are the decoder's, not the socket's; what arrives between close and bind is lost and
    counted nowhere (the port answers with ICMP unreachable)."""
    port = free_port()
    running.write(SNMP.format(port, "one"))
    assert await running.app.reload() is None
    [before] = [receiver for key, receiver in running.app.receivers.items() if key[0] == "snmp"]
    running.write(SNMP.format(port, "two"))
    assert await running.app.reload() is None
    [after] = [receiver for key, receiver in running.app.receivers.items() if key[0] == "snmp"]
    assert after is before


async def test_an_inform_in_hand_is_answered_by_the_socket_that_replaces_its_own(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken and is committed while its socket is replaced: the sender must not have to repeat it."""
    import socket

    port, hold = free_port(), asyncio.Event()
    commit = running.app.store.commit

    async def slow(batch: Any) -> None:
        await hold.wait()
        await commit(batch)

    running.write(SNMP.format(port, "public"))
    assert await running.app.reload() is None
    monkeypatch.setattr(running.app.store, "commit", slow)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", port))
        sock.send(stop_inform(1))
        await asyncio.sleep(0.3)
        running.write(SNMP.format(port, "public") + "recv_buffer_bytes = 100000\n")
        assert await running.app.reload() is None
        hold.set()
        assert await asyncio.to_thread(sock.recv, 65_536)
    assert running.app.telemetry.value("replies", "sent") == 1


async def test_a_stop_that_could_not_commit_everything_is_a_failure(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from eventd.errors import EventdError

    async def full(batch: Any) -> None:
        raise StoreError("database or disk is full")

    monkeypatch.setattr(app_module, "DRAIN_S", 0.3)
    monkeypatch.setattr(running.app.store, "commit", full)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(stop_line(1).encode(), ("127.0.0.1", running.udp))
    await asyncio.sleep(0.3)
    with pytest.raises((EventdError, BaseExceptionGroup)):
        await running.stop()


# --- the recording ---------------------------------------------------------------------------------------------------


def send(port: int, *lines: str) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for line in lines:
            sock.sendto(line.encode(), ("127.0.0.1", port))


async def recorded(running: Running, count: int) -> None:
    for _ in range(1000):
        if running.app.telemetry.value("recorded") >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"fewer than {count} were recorded")


async def test_a_reload_begins_moves_and_ends_the_recording(running: Running, tmp_path: Path) -> None:
    files = [tmp_path / "a.rec", tmp_path / "b.rec"]
    send(running.udp, stop_line(1))
    for number, file in enumerate(files, 2):
        running.write(f'[record]\npath = "{file}"\n')
        assert await running.app.reload() is None
        send(running.udp, stop_line(number))
        await recorded(running, number - 1)
    running.write()
    assert await running.app.reload() is None
    assert running.app.intake.tap is None
    send(running.udp, stop_line(4))
    await running.stop()
    assert running.app.telemetry.value("received", "syslog-udp") == 4
    assert [file.read_bytes().count(b"\n") for file in files] == [1, 1]
    assert b"10.0.3.1" in files[1].read_bytes()


@pytest.mark.parametrize("also", ["", "udp"])
async def test_a_reload_that_is_refused_leaves_the_recording_as_it_was(
    also: str, running: Running, tmp_path: Path
) -> None:
    """Refused because of the recording itself, or because of a receiver after the recording was moved already."""
    import socket

    kept, other = tmp_path / "kept.rec", tmp_path / ("other.rec" if also else "kept.rec/x")
    running.write(f'[record]\npath = "{kept}"\n')
    assert await running.app.reload() is None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1] if also else None
        running.write(f'[record]\npath = "{other}"\n', udp=port)
        why = await running.app.reload()
    assert why is not None
    assert ("cannot listen" if also else "record.path") in why
    send(running.udp, stop_line(1))
    await recorded(running, 1)
    await running.stop()
    assert kept.read_bytes().count(b"\n") == 1
    assert sum(running.app.telemetry.values("record_dropped").values()) == 0


CHAT = '[[channels]]\nname = "{name}"\ntype = "mattermost"\nurl = "{url}/{name}"\n'


async def told_to(server: ChatServer, name: str, count: int = 1) -> list[str]:
    """What a channel was told, once it was told so often."""

    def found() -> list[str]:
        return [seen.body.decode() for seen in server.seen if seen.path == f"/{name}"]

    await until(lambda: len(found()) >= count, 10)
    return found()


async def waiting(app: App, name: str, count: int) -> None:
    """Until so many notifications wait for a channel."""
    await until(lambda: app.store.totals().get(name, ChannelTotals()).pending >= count, 10)


async def started_again(before: Running, extra: str) -> Running:
    """Another process on the same store, with another configuration."""
    again = Running(before.folder)
    again.write(extra)
    again.app = App(lambda: load(str(again.path)))
    await again.start()
    return again


async def test_who_comes_for_a_renamed_channel_is_told_of_what_is_open(running: Running) -> None:
    app = running.app
    async with ChatServer() as server:
        running.write(CHAT.format(name="old", url="http://127.0.0.1:9"))
        assert await app.reload() is None
        send(running.udp, *(stop_line(number, device=f"FW{number}") for number in range(3)))
        await waiting(app, "old", 3)
        running.write(CHAT.format(name="new", url=server.url))
        assert await app.reload() is None
        (first,) = await told_to(server, "new")
        assert "open already when this channel was set up" in first
        assert [first.count(incident.id) for incident in app.correlator.open_incidents()] == [1, 1, 1]
        lost = (await app.store.letters(channel="old")).items
        assert [(one.state, one.error) for one in lost] == [("dead", "the channel is no longer configured")] * 3
        await app.refresh_metrics()
        assert app.telemetry.value("outbox_dead", "old") == 3
        await running.stop()
        again = await started_again(running, "".join(CHAT.format(name=n, url=server.url) for n in ("new", "newer")))
        (newer,) = await told_to(server, "newer")
        assert "open already" in newer
        send(again.udp, stop_line(7, device="FW7"))
        assert len(await told_to(server, "new", 2)) == 2, "whoever was there before hears of news only"
        await again.stop()


async def test_a_channel_that_further_routes_name_is_told_of_what_is_open(running: Running) -> None:
    async with ChatServer() as server:
        chats = "".join(CHAT.format(name=name, url=server.url) for name in ("desk", "other"))
        route = '[[routes]]\nmatch = {{ device = "{}" }}\nchannels = ["desk"]\n'
        running.write(chats + route.format("FW0"))
        assert await running.app.reload() is None
        send(running.udp, stop_line(0, device="FW0"), stop_line(1, device="FW1"))
        (first,) = await told_to(server, "desk")
        await until(lambda: len(running.app.correlator.open_incidents()) == 2, 10)
        running.write(chats + route.format("FW?"))
        assert await running.app.reload() is None
        _, second = await told_to(server, "desk", 2)
        assert ("FW0" in first, "FW1" in second, "FW0" in second) == (True, True, False)
        await running.stop()
        again = await started_again(running, chats)
        (both,) = await told_to(server, "other")
        assert "2 INCIDENTS" in both
        await again.stop()
        assert len(await told_to(server, "desk")) == 2, "it knows"


async def test_a_timer_that_is_due_at_the_start_does_not_meet_half_a_service(running: Running) -> None:
    """What it enqueues is committed before anybody delivers: what waits for a channel that is gone is given up."""
    old, other = (f'reminder = "1s"\n{CHAT.format(name=name, url="http://127.0.0.1:9")}' for name in ("old", "other"))
    running.write(old)
    assert await running.app.reload() is None
    send(running.udp, stop_line(1))
    await waiting(running.app, "old", 1)
    await running.stop()
    await asyncio.sleep(1.2)
    again = await started_again(running, other)
    await waiting(again.app, "other", 1)
    await again.stop()
