"""What an unauthenticated sender can make eventd remember is bounded, and filling it resets nobody else.

docs/limits.md lists all bounds; here are those that no other test holds.
"""

import importlib
import re
from pathlib import Path

import pytest
from correlate_strategies import EPOCH, parse

from eventd import identity
from eventd.correlate import Correlator, Settings
from eventd.identity import Identities
from eventd.inventory import Inventory
from eventd.receivers.addresses import Sources
from eventd.telemetry import RateLimit, Telemetry

ROOT = Path(__file__).parent.parent


def test_invented_names_do_not_keep_a_real_one_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "MAX_LEARNED_SOURCES", 100)
    known = Identities(Inventory())
    for number in range(1000):
        known.of_syslog(f"forged{number}", None, f"10.0.{number // 250}.{number % 250}", float(number))
        if number % 50 == 0:
            known.of_syslog("FW1", None, "192.0.2.1", float(number))
    known.of_syslog("FW2", None, "192.0.2.2", 1.0)
    assert len(known.learned) == 100
    assert known.learned["192.0.2.1"] == {"FW1": 950.0}
    assert known.learned["192.0.2.2"] == {"FW2": 1.0}


def test_the_log_has_a_budget_for_all_keys_together() -> None:
    now = [0.0]
    limit = RateLimit(every_s=10.0, clock=lambda: now[0])
    lines = [key for key in range(10_000) if limit.allow(("rejected", key)) is not None]
    assert len(lines) == RateLimit.MAX_LINES
    assert len(limit._seen) <= RateLimit.MAX_KEYS
    now[0] = 10.0
    assert limit.allow(("rejected", 9_999)) == 1
    assert limit.allow(("rejected", "new")) == 0


def test_a_key_that_is_held_back_stays_so_while_others_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RateLimit, "MAX_KEYS", 8)
    monkeypatch.setattr(RateLimit, "MAX_LINES", 10_000)
    limit = RateLimit(every_s=10.0, clock=lambda: 0.0)
    assert limit.allow("noisy") == 0
    for number in range(100):
        limit.allow(number)
        assert limit.allow("noisy") is None


def test_the_least_known_source_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.receivers.addresses.MAX_SOURCES", 3)
    sources = Sources(["192.0.2.0/24"])
    for number in range(10):
        assert sources.look_up(f"192.0.2.{number}") == (f"192.0.2.{number}", True)
    assert list(sources._known) == ["192.0.2.7", "192.0.2.8", "192.0.2.9"]


def test_timers_that_were_overtaken_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tunnel that goes down and up arms a near timer in front of a far one each time."""
    monkeypatch.setattr("eventd.correlate.engine.HEAP_SLACK", 8)
    correlator, now, most = Correlator(Settings(flap_count=100), Inventory()), EPOCH, 0
    for turn in range(200):
        now += 120
        correlator.tick(now)
        correlator.apply(parse(f"0 {'stop dpd timeout' if turn % 2 else 'start'}", turn)[1], now)
        most = max(most, len(correlator._heap))
    assert most <= 2 * len(correlator._armed) + 9
    assert correlator.next_deadline() is not None


def test_labels_from_the_wire_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventd.telemetry.MAX_LABEL_SETS", 50)
    telemetry = Telemetry()
    for number in range(500):
        telemetry.inc("reasons", "ipsec.tunnel.stop", "unknown", f"forged {number}")
    assert len(telemetry.values("reasons")) <= 51
    assert telemetry.value("reasons", "other", "other", "other") == 450
    assert telemetry.value("label_overflow", "reasons") == 450


def test_every_limit_in_the_document_is_the_one_in_the_code() -> None:
    """Rows end with `module.NAME`; their number stands in the second column."""
    row = re.compile(r"\| ([\d,]+)[^|]*\|[^|]*\| `([\w.]+)\.([A-Z_]+)` \|$", re.MULTILINE)
    found = row.findall((ROOT / "docs/limits.md").read_text())
    assert len(found) > 15
    for number, module, name in found:
        full = module if module.startswith("handlers.") else f"eventd.{module}"
        value = getattr(importlib.import_module(full), name)
        assert value == int(number.replace(",", "")), (module, name)
