"""Acts of people on a real service: they survive a restart, hold pages back, tell at their end, and cost no count."""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nursery
import pytest
from service import Service, until
from storm import peer, stop_line

from eventd.notify.refusals import REFUSED_FOR_S

TOKEN = "operate-token-0123456789"
EXTRA = f"""
[[web.tokens]]
name = "ann"
token = "{TOKEN}"
role = "operate"
[[channels]]
name = "console"
type = "console"
"""


@pytest.fixture
def eventd(tmp_path: Path):
    with Service(tmp_path, extra=EXTRA) as running:
        yield running


def command(eventd: Service, *arguments: str, status: int = 0) -> str:
    url = f"http://127.0.0.1:{eventd.ports['web']}"
    done = nursery.run(arguments, env={**os.environ, "EVENTD_URL": url, "EVENTD_TOKEN": TOKEN})
    assert done.returncode == status, done.stderr
    return done.stdout


def opened(eventd: Service) -> list[dict[str, object]]:
    return list(eventd.api("incidents?status=open")["items"])


def told(eventd: Service) -> str:
    return eventd.out.read_text()


def test_who_has_taken_an_incident_and_what_is_silenced_survive_a_restart(eventd: Service) -> None:
    eventd.send_udp(stop_line(7))
    [incident] = until(lambda: opened(eventd), "an incident")
    ident = str(incident["id"])
    command(eventd, "ack", ident[:6], "--note", "carrier called", "--until", "8h")
    silence = command(eventd, "silence", "add", "peer=9.9.*", "--for", "2h", "--reason", "new uplink").strip()
    before = eventd.api(f"incidents/{ident}")
    eventd.kill()
    eventd.start()
    after = eventd.api(f"incidents/{ident}")
    assert (after["acked_by"], after["acked_note"], after["acked_until"]) == (
        "ann",
        "carrier called",
        before["acked_until"],
    )
    [row] = eventd.api("silences?status=active")["items"]
    assert (row["id"], row["who"], row["reason"]) == (silence, "ann", "new uplink")
    assert "ann until" in command(eventd, "explain", ident)
    command(eventd, "clear", ident)
    command(eventd, "silence", "remove", silence)
    eventd.kill()
    eventd.start()
    assert opened(eventd) == eventd.api("silences?status=active")["items"] == []
    command(eventd, "clear", ident, status=1)
    assert eventd.ledger_faults() == []


def test_a_silence_holds_a_page_back_and_tells_at_its_end_what_is_still_open(eventd: Service) -> None:
    long = command(eventd, "silence", "add", "severity=*", "--for", "1h").strip()
    eventd.send_udp(stop_line(7), stop_line(8))
    until(lambda: len(opened(eventd)) == 2, "two incidents")
    assert all(incident["silenced"] for incident in opened(eventd))
    until(lambda: eventd.metrics().get('eventd_suppressed_total{rule="silenced"}', 0) >= 2, "the rule to be counted")
    command(eventd, "clear", str(opened(eventd)[0]["id"]))
    [left] = opened(eventd)
    assert told(eventd) == ""
    assert eventd.total(eventd.metrics(), "eventd_notifications_enqueued_total") == 0
    rows = json.loads(command(eventd, "explain", str(left["id"]), "-f", "json"))["explanations"]
    assert rows[0]["judged"]["rule"] == "silenced"
    assert "unhush" in [wait["timer"] for wait in rows[0]["waits"]]
    command(eventd, "silence", "remove", long)
    until(lambda: str(left["peer"]) in told(eventd), "the page that was held back")
    assert not opened(eventd)[0]["silenced"]
    assert eventd.ledger_faults() == []


def test_a_silence_that_runs_out_by_itself_tells_too(eventd: Service) -> None:
    command(eventd, "silence", "add", "device=*", "--for", "3s")
    eventd.send_udp(stop_line(7))
    [incident] = until(lambda: opened(eventd), "an incident")
    assert told(eventd) == ""
    until(lambda: str(incident["peer"]) in told(eventd), "the page that was held back")
    until(lambda: not eventd.ledger_faults(), "the ledger to balance")


# --- what a far end did not take ----------------------------------------------------------------------------------

HOOK = """
[[web.tokens]]
name = "ann"
token = "{token}"
role = "operate"
[[channels]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:{port}/T0PSECRETKEY"
"""


class FarEnd:
    """Refuses what speaks of ``whom`` with ``status``, until it is 200."""

    def __init__(self) -> None:
        self.status, self.whom, self.taken = 400, "", list[dict[str, object]]()
        far_end = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status = far_end.status if far_end.whom in body else 200
                if status == 200:
                    far_end.taken.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 429:
                    self.send_header("Retry-After", "3600")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@pytest.fixture
def far_end() -> Iterator[FarEnd]:
    made = FarEnd()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_what_a_far_end_refused_is_told_again_once_it_is_mended(tmp_path: Path, far_end: FarEnd) -> None:
    with Service(tmp_path, extra=HOOK.format(token=TOKEN, port=far_end.port)) as eventd:
        far_end.whom = peer(7)
        eventd.send_udp(stop_line(7))
        until(lambda: [one for one in eventd.api("outbox")["items"] if one["attempts"]], "a try")
        eventd.send_udp(stop_line(8))
        until(lambda: len(far_end.taken) == 1, "the other one to arrive")
        assert eventd.api("outbox")["items"], "whoever reads it may be mended within a night"
        eventd.kill()
        with contextlib.closing(sqlite3.connect(tmp_path / "eventd.db")) as database, database:
            database.execute("UPDATE outbox SET refused_at = refused_at - ?", (REFUSED_FOR_S,))  # the night is over
        eventd.start()
        [dead] = until(lambda: [one for one in eventd.api("outbox")["items"] if one["state"] == "dead"], "a dead one")
        assert dead["error"].startswith("refused: http://127.0.0.1:")
        assert "T0PSECRETKEY" not in command(eventd, "outbox", "list")
        assert eventd.total(eventd.metrics(), "eventd_outbox_dead") == 1
        eventd.kill()  # what was given up outlives a crash
        eventd.start()
        far_end.status = 200
        assert "is sent again as" in command(eventd, "outbox", "retry", "--all-dead")
        until(lambda: len(far_end.taken) == 2, "the alert to arrive")
        assert [taken["status"] for taken in far_end.taken] == ["firing", "firing"]
        until(lambda: eventd.api("outbox")["items"] == [], "nothing to be left")
        assert command(eventd, "outbox", "drop", dead["id"], status=1) == ""
        assert eventd.total(eventd.metrics(), "eventd_outbox_dead") == 0
        states = {one["state"] for one in eventd.api("outbox?state=all")["items"]}
        assert states == {"dead", "delivered"}
        assert eventd.ledger_faults() == []


def test_what_waits_behind_a_pause_is_tried_as_soon_as_somebody_asks(tmp_path: Path, far_end: FarEnd) -> None:
    far_end.status = 429
    with Service(tmp_path, extra=HOOK.format(token=TOKEN, port=far_end.port)) as eventd:
        eventd.send_udp(stop_line(7))
        [waits] = until(lambda: [one for one in eventd.api("outbox")["items"] if one["attempts"]], "a try")
        assert (waits["state"], waits["next_try_at"] > waits["wanted_at"]) == ("pending", True)
        since = eventd.total(eventd.metrics(), "eventd_outbox_oldest_timestamp_seconds")
        assert datetime.fromtimestamp(since, UTC) == datetime.fromisoformat(waits["wanted_at"])
        far_end.status = 200
        command(eventd, "outbox", "retry", waits["id"])
        until(lambda: far_end.taken, "the alert to arrive")
        assert eventd.ledger_faults() == []
