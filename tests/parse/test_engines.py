"""What is remembered of SNMP engines: clocks with their exceptions, copies of messages, and the address of each."""

import json

import pytest
import snmp_strategies as some
from hypothesis import given
from hypothesis import strategies as st
from snmp_strategies import DEVICE_ENGINE, NOW, OTHER_ENGINE, Device, user

from eventd.contract import EngineChange
from eventd.errors import ParseError, RejectReason
from eventd.parse import snmp, snmp_pdu, usm
from eventd.parse.engines import MAX_BOOTS, PIN_S, TIME_WINDOW, Allowance, Engines
from eventd.parse.recent import Recent

A, B = b"engine-a", b"engine-b"
HERE, THERE = "192.0.2.1", "192.0.2.2"
RESET = Allowance(accept_boots_reset=True)
ANY_TIME = Allowance(ignore_time_window=True)


def told(engines):
    return [notice.change for notice in engines.take_notices()]


def known(*names):
    """Engines that were heard once each, and nothing left to tell."""
    engines = Engines()
    for name in names:
        assert engines.in_window(name, 5, 1000, NOW)
    engines.take_notices()
    return engines


def access(*users, **allowances):
    return snmp.Access([], users, allowances={DEVICE_ENGINE: Allowance(**allowances)})


def outcome(message, table, now=NOW):
    try:
        return snmp.parse_notification(message, table, now).oid and "taken"
    except ParseError as error:
        return error.reason


# --- clocks --------------------------------------------------------------------------------------------------------


@pytest.mark.conformance(
    "RFC 3414 §2.3", "the first genuine message of an engine makes it known, a reboot renews its clock"
)
def test_first_contact_and_reboots_are_told():
    engines = Engines()
    assert engines.in_window(A, 5, 1000, NOW)
    assert engines.in_window(A, 5, 1001, NOW + 1)
    assert engines.in_window(A, 6, 0, NOW + 2)
    assert told(engines) == [EngineChange.LEARNED, EngineChange.REBOOTED]
    assert engines.changes == {EngineChange.LEARNED: 1, EngineChange.REBOOTED: 1}


@pytest.mark.conformance("RFC 3414 §3.2.7.b", "what lies behind an engine's clock is refused and says how far")
@pytest.mark.parametrize(
    ("boots", "time", "change"),
    [
        pytest.param(4, 999_999, EngineChange.BOOTS_BACK, id="fewer boots"),
        pytest.param(5, 849, EngineChange.TIME_BACK, id="151 s behind"),
        pytest.param(MAX_BOOTS, 1000, EngineChange.LATCHED, id="boots latched"),
    ],
)
def test_a_clock_that_went_back_is_refused_and_told(boots, time, change):
    engines = known(A)
    assert not engines.in_window(A, boots, time, NOW)
    assert told(engines) == [change]
    assert engines.in_window(A, 5, 1000, NOW), "and nothing was learned from it"


@pytest.mark.conformance("RFC 3414 §3.2.7.b", "the window ends 150 s behind the clock as it has moved on since")
@pytest.mark.parametrize(("late", "taken"), [(0, True), (TIME_WINDOW, True), (TIME_WINDOW + 1, False)])
def test_the_window_moves_on_with_time(late, taken):
    assert known(A).in_window(A, 5, 1000, NOW + late) == taken


@pytest.mark.parametrize("clock", [(4, 30), (5, 30), (1, 179)])
def test_an_engine_that_may_reset_its_boots_starts_anew_if_it_could_have_been_restarted(clock):
    engines = known(A)
    assert not engines.in_window(A, *clock, NOW + 30)
    assert engines.in_window(A, *clock, NOW + 30, RESET)
    assert told(engines)[1:] == [EngineChange.RESET_ACCEPTED]
    assert engines.in_window(A, clock[0], clock[1] + 1, NOW + 31)


def test_an_engine_that_may_reset_its_boots_may_not_repeat_what_it_said_later_in_an_earlier_life():
    """Up for longer than it was silent: recorded before, not sent now."""
    engines = known(A)
    assert not engines.in_window(A, 4, 30 + TIME_WINDOW + 1, NOW + 30, RESET)
    assert told(engines) == [EngineChange.BOOTS_BACK]


@pytest.mark.parametrize("clock", [(4, 1_000_000), (5, 1), (MAX_BOOTS, 5)])
def test_an_engine_whose_time_is_not_looked_at_is_always_in_time(clock):
    engines = known(A)
    assert engines.in_window(A, *clock, NOW + 30, ANY_TIME)
    assert EngineChange.BOOTS_BACK not in told(engines)


@pytest.mark.conformance(
    "RFC 3414 §3.2.7.b", "an exception in the configuration holds for the engine it names and no other"
)
def test_an_allowance_is_for_one_engine():
    table = access(user(), accept_boots_reset=True)
    for engine in (DEVICE_ENGINE, OTHER_ENGINE):
        assert outcome(Device(user(), engine, boots=9).message(), table) == "taken"
    lost_count = [Device(user(), engine, boots=1, booted_at=NOW + 5) for engine in (DEVICE_ENGINE, OTHER_ENGINE)]
    assert outcome(lost_count[0].message(now=NOW + 10), table, NOW + 10) == "taken"
    assert outcome(lost_count[1].message(now=NOW + 10), table, NOW + 10) is RejectReason.NOT_IN_TIME_WINDOW


def test_what_is_remembered_outlives_a_new_configuration():
    before = access(user())
    message = Device(user()).message()
    assert outcome(message, before) == "taken"
    after = snmp.Access([], [user()], memory=before.memory)
    assert outcome(message, after) is RejectReason.REPLAYED
    assert outcome(Device(user(), boots=6).message(), after) is RejectReason.NOT_IN_TIME_WINDOW


# --- copies --------------------------------------------------------------------------------------------------------


@pytest.mark.conformance("RFC 3414 §1.2", "a copy of a trap is refused at any time, within the window and behind it")
@pytest.mark.parametrize("level", ["authNoPriv", "authPriv"])
@pytest.mark.parametrize("late", [0, 1, TIME_WINDOW, 2 * TIME_WINDOW, 100_000])
def test_a_copy_of_a_trap_is_refused(level, late):
    who = user(level)
    table, message = access(who), Device(who).message()
    assert outcome(message, table) == "taken"
    assert outcome(message, table, NOW + late) in (RejectReason.REPLAYED, RejectReason.NOT_IN_TIME_WINDOW)


def test_another_message_of_the_same_second_is_no_copy():
    table = access(user())
    assert [outcome(Device(user()).message(msg_id=number), table) for number in range(3)] == ["taken"] * 3


def test_without_authentication_a_copy_cannot_be_told():
    who = user("noAuthNoPriv")
    table, message = access(who), Device(who).message()
    assert [outcome(message, table) for _ in range(2)] == ["taken", "taken"]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_recent_knows_what_was_seen_within_its_time_and_forgets_soon_after(steps):
    recent, now, seen = Recent(100, 1000), 0.0, {}
    for key, later in steps:
        now += later
        new, last = recent.add(bytes([key]), now), seen.get(key)
        if last is None or now - last > 150:
            assert new
        elif now - last <= 100:
            assert not new
        if new:
            seen[key] = now


def test_recent_is_bounded():
    recent = Recent(100, 10)
    for number in range(1000):
        assert recent.add(str(number).encode(), 0.0)
    assert len(recent) <= 15
    assert not recent.add(b"999", 0.0)


@given(st.lists(st.sampled_from([0.0] * 6 + [1.0, 24.0, 26.0, 77.0]), max_size=120))
def test_recent_keeps_all_of_its_time_while_they_are_no_more_than_its_limit(waits):
    """However they come: a burst does not drive out what was there before it."""
    recent, now, seen = Recent(100, 40), 1000.0, []
    for number, wait in enumerate(waits):
        now += wait
        if sum(now - at <= 100 for at in seen) < 40:
            assert recent.add(str(number).encode(), now)
            seen.append(now)
    for number, at in enumerate(seen):
        assert now - at > 100 or str(number).encode() in {key for _, keys in recent._parts for key in keys}


def test_recent_does_not_count_what_is_too_old_against_what_is_not():
    recent = Recent(100, 40)
    for number, at in enumerate([1000.0] * 9 + [1024.0] * 22 + [1101.0] * 11):
        assert recent.add(str(number).encode(), at)
    assert not recent.add(b"9", 1101.0)


def test_recent_goes_on_when_the_clock_is_set_back():
    recent = Recent(100, 40)
    assert recent.add(b"a", 1e9)
    assert not recent.add(b"a", 1e9 - 5000)
    for number in range(1000):
        assert recent.add(str(number).encode(), 1e9 - 5000 + number)
    assert len(recent) <= 60


# --- not live ------------------------------------------------------------------------------------------------------


def test_a_recording_is_judged_by_the_clocks_in_it():
    """Informs were meant for our engine as it was then; traps out of their window were refused then, too."""
    who = user()
    table = snmp.Access([], [who], checks="recorded")
    was_ours = Device(who, bytes.fromhex("8000000005aabbccdd"), 17, NOW - 60)
    inform = was_ours.message(snmp_pdu.encode_pdu(snmp_pdu.INFORM, 1, some.STOP), flags=usm.REPORTABLE_FLAG)
    assert outcome(inform, table) == "taken"
    trap = Device(who).message()
    assert [outcome(trap, table) for _ in range(2)] == ["taken", RejectReason.REPLAYED]
    assert outcome(Device(who, boots=6).message(), table) is RejectReason.NOT_IN_TIME_WINDOW
    mine = Device(who, snmp.DEFAULT_ENGINE_ID, 17, NOW - 60).message(snmp_pdu.encode_pdu(snmp_pdu.INFORM, 2, some.STOP))
    assert outcome(mine, table) == "taken"


def test_offline_messages_of_any_age_and_order_are_read_if_they_are_genuine():
    who = user()
    table = snmp.Access([], [who], checks="offline")
    trap = Device(who).message()
    assert [outcome(trap, table) for _ in range(2)] == ["taken"] * 2
    assert outcome(Device(who, boots=6).message(), table) == "taken"
    assert outcome(trap[:-1] + bytes([trap[-1] ^ 1]), table) is RejectReason.WRONG_DIGEST


# --- places --------------------------------------------------------------------------------------------------------


def test_an_engine_is_pinned_to_the_address_of_its_first_contact():
    engines = known(A)
    assert engines.locate(A, HERE, NOW, proven=True) == (A, HERE)
    assert engines.locate(A, THERE, NOW + 1, proven=True) == (A, HERE), "it keeps its own name"
    assert engines.locate(A, THERE, NOW + 2, proven=True) == (A, HERE)
    assert told(engines) == [EngineChange.MOVED], "told once, not with every message"
    assert engines.locate(A, HERE, NOW + 3, proven=True) == (A, HERE)
    assert engines.locate(A, THERE, NOW + 4, proven=True) == (A, HERE)
    assert told(engines) == [EngineChange.MOVED], "and again when it moves again"


def test_another_engine_at_a_pinned_address_does_not_get_its_name():
    engines = known(A, B)
    engines.locate(A, HERE, NOW, proven=True)
    assert engines.locate(B, HERE, NOW + 1, proven=True) == (B, None)
    assert engines.locate(B, HERE, NOW + 2, proven=True) == (B, None)
    assert engines.locate(A, HERE, NOW + 3, proven=True) == (A, HERE)
    assert told(engines) == [EngineChange.SHARED]


def test_a_moved_engine_takes_no_name_of_another():
    engines = known(A, B)
    engines.locate(A, HERE, NOW, proven=True)
    engines.locate(B, THERE, NOW, proven=True)
    assert engines.locate(A, THERE, NOW + 1, proven=True) == (A, HERE)
    assert engines.locate(B, HERE, NOW + 1, proven=True) == (B, THERE)
    assert told(engines) == [EngineChange.MOVED] * 2


def test_a_replaced_firewall_takes_over_the_address_after_a_day():
    engines = known(A, B)
    engines.locate(A, HERE, NOW, proven=True)
    assert engines.locate(B, HERE, NOW + PIN_S, proven=True) == (B, None)
    assert engines.locate(B, HERE, NOW + PIN_S + 1, proven=True) == (B, HERE)
    assert told(engines) == [EngineChange.SHARED, EngineChange.REPINNED]
    assert engines.locate(A, HERE, NOW + PIN_S + 2, proven=True) == (A, None), "the old one is the stranger now"


def test_an_engine_that_moved_gets_its_new_address_after_a_day():
    engines = known(A, B)
    engines.locate(A, HERE, NOW, proven=True)
    engines.locate(A, THERE, NOW + 1, proven=True)
    assert engines.locate(A, THERE, NOW + PIN_S + 2, proven=True) == (A, THERE)
    assert told(engines) == [EngineChange.MOVED, EngineChange.REPINNED]
    assert engines.locate(B, HERE, NOW + PIN_S + 3, proven=True) == (B, HERE), "and gives its old one back"


@pytest.mark.parametrize("stranger", [A, B], ids=["a known engine", "an unknown one"])
def test_a_claim_that_contradicts_what_is_proven_is_not_believed(stranger):
    engines = known(A)
    engines.locate(A, HERE, NOW, proven=True)
    at = THERE if stranger == A else HERE
    assert engines.locate(stranger, at, NOW, proven=False) == (None, at)
    assert told(engines) == [EngineChange.CLAIMED]
    assert len(engines) == 1, "and it leaves nothing behind"


def test_a_claim_that_contradicts_nothing_is_believed_and_not_remembered():
    engines = known(A)
    engines.locate(A, HERE, NOW, proven=True)
    assert engines.locate(A, HERE, NOW, proven=False) == (A, HERE)
    assert engines.locate(B, THERE, NOW, proven=False) == (B, THERE)
    assert (len(engines), told(engines)) == (1, [])


@pytest.mark.conformance("RFC 3414 §2.3", "nobody without a key can put an engine into the table, or move one")
def test_strangers_create_nothing():
    table = access(user(), user("noAuthNoPriv", "open"))
    forged = bytearray(Device(user()).message())
    forged[-1] ^= 1
    for number in range(200):
        engine_id = b"\x80\x00\x07\xdb\x05" + number.to_bytes(4, "big")
        outcome(Device(user("noAuthNoPriv", "open"), engine_id).message(), table)
        outcome(Device(user(name="mallory"), engine_id).message(), table)
        outcome(bytes(forged), table)
    assert len(table.engines) == len(table.memory.informs) == 0


def test_a_forgotten_engine_gives_its_address_back():
    engines = Engines(limit=1)
    engines.in_window(A, 1, 1, NOW)
    engines.locate(A, HERE, NOW, proven=True)
    engines.in_window(B, 1, 1, NOW)
    assert engines.locate(B, HERE, NOW, proven=True) == (B, HERE)
    assert told(engines) == [EngineChange.LEARNED, EngineChange.FORGOTTEN, EngineChange.LEARNED]


def test_clocks_and_places_survive_a_restart():
    engines = known(A, B)
    engines.locate(A, HERE, NOW, proven=True)
    engines.locate(B, HERE, NOW, proven=True)
    after = Engines()
    after.restore(json.loads(json.dumps(engines.snapshot())))
    assert after.snapshot() == engines.snapshot()
    assert not after.in_window(A, 4, 1, NOW)
    assert after.locate(A, THERE, NOW, proven=True) == (A, HERE)
    assert after.locate(B, HERE, NOW, proven=True) == (B, None)
    assert EngineChange.SHARED not in told(after), "told before the restart"


def test_what_an_earlier_version_kept_is_read():
    engines = Engines()
    engines.restore({A.hex(): [5, 1000, NOW]})
    assert not engines.in_window(A, 4, 1, NOW)
    assert engines.locate(A, HERE, NOW, proven=True) == (A, HERE)


steps = st.lists(
    st.tuples(st.sampled_from([A, B, b"engine-c"]), st.sampled_from([HERE, THERE]), st.integers(0, 50_000)), max_size=30
)


@given(steps)
def test_no_two_engines_ever_have_one_address(heard):
    engines, now = known(A, B, b"engine-c"), NOW
    names = {}
    for engine_id, where, later in heard:
        now += later
        believed, address = engines.locate(engine_id, where, now, proven=True)
        assert believed == engine_id
        owners = [e.address for e in engines._engines.values() if e.address is not None]
        assert len(owners) == len(set(owners))
        assert {e: a for a, e in engines._owners.items()} == {
            name: e.address for name, e in engines._engines.items() if e.address is not None
        }
        names[engine_id] = address
