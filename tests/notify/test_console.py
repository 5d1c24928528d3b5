"""Standard output: layout, colour, and a terminal that is stuck or gone."""

import io
import os
import threading
from typing import Any

import pytest
from notify_fakes import make_incident, make_notification, make_resolved, until

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify import console
from eventd.notify.session import Session

OPENED = """\
MAJOR Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout
  Device: FW1 (vsys public, interface GigabitEthernet0/0/1)
  Peer: branch-7 (203.0.113.7, site Lyon)
  Reason: dpd timeout
  Meaning: No answer.
  Since: 2023-11-14 22:13:00 UTC
  What happened:
    - 22:13:00 tunnel stopped: dpd timeout
    - 22:13:15 no start within 15 s
  Next steps:
    1. ping 203.0.113.7 from FW1
    2. display ike sa remote 203.0.113.7
  Incident: a1b2c3d4e5f6

"""

RESOLVED = """\
RESOLVED Tunnel to branch-7 (203.0.113.7) on FW1 is down: dpd timeout
  Device: FW1
  Peer: branch-7 (203.0.113.7)
  Duration: 3m 20s
  From: 2023-11-14 22:13:00 UTC to 2023-11-14 22:16:20 UTC
  Was: dpd timeout
  Incident: a1b2c3d4e5f6

"""


async def told(*incidents: Any, stream: Any = None, **keys: Any) -> str:
    stream = stream or io.StringIO()
    channel = console.build("con", console.Settings(**keys), Session(stdout=stream))
    for incident in incidents:
        await channel.deliver(make_notification(incident=incident))
    await channel.close()
    text: str = stream.getvalue()
    return text


async def test_an_opening_is_a_block_that_says_what_why_since_when_and_what_to_do() -> None:
    assert await told(make_incident()) == OPENED


async def test_an_end_is_one_short_block_with_the_duration() -> None:
    assert await told(make_resolved()) == RESOLVED


async def test_colour_is_for_terminals_and_can_be_forced() -> None:
    assert (await told(make_incident(), color=True)).startswith("\x1b[31mMAJOR Tunnel")
    assert (await told(make_resolved(), color=True)).startswith("\x1b[32mRESOLVED")
    stream = io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    assert "\x1b[" in await told(make_incident(), stream=stream)
    assert "\x1b[" not in await told(make_incident())


async def test_the_middle_of_a_long_chain_is_counted_instead_of_shown() -> None:
    text = await told(make_incident(chain=tuple(f"step {n}" for n in range(100))))
    assert "step 3\n    - … 88 more …\n    - step 92\n" in text


async def test_characters_that_the_terminal_does_not_know_are_spelled_out() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    channel = console.build("con", console.Settings(), Session(stdout=stream))
    await channel.deliver(make_notification(incident=make_incident(summary="Büro")))
    await channel.close()
    assert rb"B\xfcro" in raw.getvalue()


async def test_a_stuck_terminal_neither_stops_the_loop_nor_queues_up_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "WRITE_TIMEOUT_S", 0.05)
    release = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            release.wait(5)
            return super().write(text)

    stream = Stuck()
    channel: Any = console.build("con", console.Settings(), Session(stdout=stream))
    for said in ("takes no text", "still being written"):
        with pytest.raises(DeliveryError, match=said) as caught:
            await channel.deliver(make_notification())
        assert (caught.value.reason, caught.value.retryable) == (DeliveryFailure.TIMEOUT, True)
    release.set()
    await until(lambda: "Incident" in stream.getvalue())
    await channel.deliver(make_notification(incident=make_resolved()))
    assert stream.getvalue() == OPENED + RESOLVED
    await channel.close()


async def test_a_closed_pipe_is_a_failure_that_is_tried_again() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", closefd=False) as stream:
        channel = console.build("con", console.Settings(), Session(stdout=stream))
        with pytest.raises(DeliveryError) as caught:
            await channel.deliver(make_notification())
        assert (caught.value.reason, caught.value.retryable) == (DeliveryFailure.CONNECT, True)
        await channel.close()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, writer)  # what is still buffered must not fail again while the stream is closed
        os.close(null)
    os.close(writer)


async def test_a_template_of_ones_own_replaces_the_layout(tmp_path: Any) -> None:
    (tmp_path / "own.j2").write_text("{{ state }}|{{ incident.device }}|{{ facts | length }}")
    stream = io.StringIO()
    session = Session(stdout=stream, base=tmp_path)
    channel = console.build("con", console.Settings(template_file="own.j2"), session)
    await channel.deliver(make_notification())
    await channel.close()
    assert stream.getvalue() == "MAJOR|FW1|5\n\n"


async def test_the_short_title_comes_first_and_the_meaning_once() -> None:
    long = "FW1: the tunnel to branch-7 is down: dpd timeout (No answer)."
    text = await told(make_incident(title="branch-7 down: dpd timeout", summary=long, count=2))
    assert text.startswith(f"MAJOR branch-7 down: dpd timeout\n  What: {long}\n  Device: FW1")
    assert text.count("No answer") == 1
    assert "  Occurrences: 2\n" in text
    unsaid = await told(make_incident(title="branch-7 down: dpd timeout", summary="It is down."))
    assert "  Meaning: No answer.\n" in unsaid
