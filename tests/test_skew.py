"""Clocks of devices: how far they are from ours, and what that most likely means."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storm import stop_line

from eventd import correlate, pipeline
from eventd.correlate import Correlator
from eventd.decode import Decoder
from eventd.intake import Intake
from eventd.inventory import Device, Inventory
from eventd.model import Message
from eventd.parse.snmp import Access
from eventd.pipeline import Pipeline
from eventd.registry import load
from eventd.skew import LARGE_S, SAMPLES, TOLD_FOR_S, Skews, advice
from eventd.store import MemoryStore
from eventd.telemetry import Telemetry

REGISTRY = load()
#: 2026-11-21 04:00:00 UTC, which is what `stop_line` prints.
PRINTED = 1_795_233_600.0


def measured(*differences: float) -> float:
    skews = Skews()
    for difference in differences:
        skews.heard("FW1", difference, 0.0)
    return skews.seconds()["FW1"]


@pytest.mark.conformance("RFC 5424 §6.2.3", "the skew of a device's clock is measured, single outliers are outvoted")
@pytest.mark.parametrize(
    ("differences", "skew"),
    [
        ((3.0,), 3.0),
        ((-0.5,) * 5, -0.5),
        ((0.0, 0.0, -900.0, 0.0, 0.0), 0.0),
        ((0.0, 1.0, 2.0, 3e9, -3e9), 1.0),
        ((0.0,) * 20 + (28800.0,) * 3, 28800.0),
        ((28800.0,) * 20 + (0.1,) * 3, 0.1),
    ],
)
def test_a_skew_is_the_median_of_the_last_messages(differences, skew) -> None:
    assert measured(*differences) == skew


@given(st.floats(-86400, 86400), st.lists(st.floats(-5, 0), min_size=SAMPLES), st.data())
def test_delays_and_one_wild_stamp_move_it_no_more_than_the_delays(skew, delays, data) -> None:
    differences = [skew + delay for delay in delays]
    differences[data.draw(st.integers(0, len(delays) - 1))] = data.draw(st.floats(-1e9, 1e9))
    assert skew - 5 - 1e-3 <= measured(*differences) <= skew + 1e-3


def test_a_skew_is_told_of_only_when_it_is_large_and_enough_messages_agree() -> None:
    skews = Skews()
    assert [skews.heard("FW1", 90.0, 0.0) for _ in range(SAMPLES)] == [None] * (SAMPLES - 1) + [90.0]
    assert skews.heard("FW1", 0.0, 0.0) is None
    assert [skews.heard("FW2", LARGE_S - 1, 0.0) for _ in range(SAMPLES)] == [None] * SAMPLES


def test_it_is_told_once_a_day_and_when_it_moves() -> None:
    skews = Skews()

    def heard(difference: float, now: float) -> float | None:
        return [skews.heard("FW1", difference, now) for _ in range(SAMPLES)][-1]

    assert heard(90.0, 0.0) == 90.0  # and again, until somebody was told
    assert heard(90.0, 0.0) == 90.0
    skews.tell("FW1", 90.0, 0.0)
    assert heard(91.0, TOLD_FOR_S - 1) is None
    assert skews.heard("FW1", -1e6, 1.0) is None  # one wild stamp
    assert heard(90.0, TOLD_FOR_S) == 90.0
    assert heard(90.0, -1.0) == 90.0  # our own clock was set back
    assert heard(90.0 + LARGE_S, 1.0) == 90.0 + LARGE_S
    assert heard(0.0, 1.0) is None  # put right
    assert heard(90.0, 2.0) == 90.0


def test_what_is_forgotten_is_gone() -> None:
    skews = Skews()
    skews.heard("FW1", 1.0, 0.0)
    skews.forget("FW1")
    skews.forget("FW2")
    assert skews.seconds() == {}


@pytest.mark.conformance("Huawei info-center timestamp", "a skew of whole or half hours is told as a matter of zones")
@pytest.mark.parametrize(
    ("skew", "words"),
    [
        (28800.0, "8 h ahead: most likely not its clock but how it is read; "),
        (-28795.0, "8 h behind: most likely not its clock but how it is read; "),
        (19801.0, "5.5 h ahead"),
        (3600.0 * 14 - 100, "14 h ahead"),
        (3600.0 * 15, "its clock is wrong, or its messages come late"),
        (28800.0 + 200, "its clock is wrong, or its messages come late"),
        (61.0, "its clock is wrong, or its messages come late"),
        (-400.0, "its clock is wrong, or its messages come late"),
    ],
)
def test_a_skew_of_whole_hours_is_a_zone(skew, words) -> None:
    assert advice(skew).startswith(words)
    assert ("local" in advice(skew), "add-offset" in advice(skew)) == (" h " in words, " h behind" in words)


# --- through the pipeline ---------------------------------------------------------------------------------------------


class Log:
    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, text: str, **said: Any) -> None:
        self.lines.append({"text": text, **said})


async def heard(arrivals: list[float], inventory: Inventory | None = None) -> Pipeline:
    inventory = inventory or Inventory()
    hall = Pipeline(
        intake=Intake(),
        decoder=Decoder(REGISTRY, inventory, Access([])),
        correlator=Correlator(correlate.Settings(), inventory),
        store=MemoryStore(),
        telemetry=Telemetry(),
        route=lambda *_: [],
        enqueued=lambda: None,
        clock=lambda: arrivals[-1],
    )
    line = stop_line(1).encode()
    hall.intake.put([Message("syslog-udp", "192.0.2.1", 1, at, line) for at in arrivals])
    hall.intake.close()
    await asyncio.wait_for(hall.run(), 10)
    return hall


@pytest.mark.conformance("Huawei info-center timestamp", "a device that prints local time is told of, with the remedy")
async def test_a_device_that_prints_local_time_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(pipeline, "log", log)
    hall = await heard([PRINTED - 28800 + n / 10 for n in range(20)])
    assert round(hall.skews.seconds()["FW1"]) == 28798
    [line] = [line for line in log.lines if "clock" in line["text"]]
    assert (line["device"], line["likely"][:9]) == ("FW1", "8 h ahead")


async def test_with_its_zone_in_the_inventory_it_has_no_skew(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(pipeline, "log", log)
    known = Inventory([Device(name="FW1", clock="local", time_zone="Asia/Shanghai")])
    hall = await heard([PRINTED - 28800] * 10, known)
    assert hall.skews.seconds() == {"FW1": 0.0}
    assert log.lines == []


async def test_what_one_look_at_a_socket_brought_is_one_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that a relay held back come all at once: they must not outvote the others."""
    monkeypatch.setattr(pipeline, "log", Log())
    hall = await heard([PRINTED, PRINTED + 1, PRINTED + 2, *[PRINTED + 500] * 20])
    assert -2.0 <= hall.skews.seconds()["FW1"] <= -1.0


async def test_a_device_that_is_forgotten_loses_its_skew_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "MAX_DEVICES", 1)
    hall = await heard([PRINTED])
    message = Message("syslog-udp", "192.0.2.1", 1, PRINTED, stop_line(1, device="FW2").encode())
    hall._heard(hall.decoder.decode(message))  # type: ignore[arg-type]
    assert list(hall.skews.seconds()) == list(hall.last_heard) == ["FW2"]
