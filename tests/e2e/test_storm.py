"""Nothing is silently lost: after any storm the ledger balances to the message."""

import os
import threading
from pathlib import Path

import pytest
from service import Service, until
from storm import mixture, send_datagrams, send_stream

#: EVENTD_STORM=100000 runs the storms at full size; the default keeps the suite short.
COUNT = int(os.environ.get("EVENTD_STORM", "3000"))


def pour(eventd: Service, messages: list[tuple[str, bytes]]) -> int:
    """Send by all three ways at once; how many messages left."""
    ways = {way: [message for kind, message in messages if kind == way] for way in ("udp", "tcp", "snmp")}
    sent: dict[str, int] = {}

    def run(way: str) -> None:
        if way == "tcp":
            sent[way] = send_stream(eventd.ports["syslog_tcp"], ways[way])
        else:
            port = eventd.ports["syslog_udp" if way == "udp" else "snmp"]
            sent[way] = send_datagrams(port, ways[way])

    threads = [threading.Thread(target=run, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sent.values())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("garbage", [0.0, 0.1], ids=["all well-formed", "a tenth garbage"])
def test_the_ledger_balances_to_the_message(tmp_path: Path, garbage: float) -> None:
    with Service(tmp_path) as eventd:
        # Garbage on a stream may hold what looks like an octet count and so glue or split lines: what is counted
        # there is frames, so only datagrams are compared one by one.
        messages = list(mixture(COUNT, garbage))
        sent = pour(eventd, messages)
        eventd_total = until(
            lambda: (
                (m := eventd.metrics())
                and eventd.total(m, "eventd_received_total") + eventd.total(m, "eventd_kernel_drops_total") >= sent
                and eventd.total(m, "eventd_queued") == 0
                and m
            ),
            "everything to be taken",
            120,
        )
        assert eventd.total(eventd_total, "eventd_kernel_drops_total") == 0
        assert eventd.total(eventd_total, "eventd_received_total") == sent
        until(lambda: not eventd.ledger_faults(), "the ledger to balance")
        rejected = eventd.total(eventd_total, "eventd_rejected_total")
        snmp_garbage = sum(1 for way, message in messages if way == "snmp" and message[:1] != b"\x30")
        assert rejected >= snmp_garbage
        if not garbage:
            assert rejected == 0
        events = eventd.total(eventd_total, "eventd_events_total")
        assert events == sum(1 for _, message in messages if b"IPSEC" in message or message[:1] == b"\x30") or garbage
    assert "Traceback" not in eventd.log.read_text()
