"""A trap receiver on the loopback for tests of what we send: our own parser behind a plain socket and a thread."""

import socket
import threading
import time
from typing import Self

from eventd.errors import ParseError
from eventd.model import TrapRecord
from eventd.parse.snmp import Access, parse_notification, report_for


class TrapSink:
    """Receives, parses, answers informs and discovery unless ``mute``. A context manager."""

    def __init__(self, access: Access, host: str = "127.0.0.1", mute: bool = False) -> None:
        self.access, self.mute = access, mute
        self.records: list[TrapRecord] = []
        self.refused: list[ParseError] = []
        self.payloads: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._socket.close()

    def wait(self, count: int, timeout: float = 5.0) -> list[TrapRecord]:
        deadline = time.monotonic() + timeout
        while len(self.records) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.records

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                payload, peer = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            answer = self._take(payload)
            if answer is not None and not self.mute:
                self._socket.sendto(answer, peer)

    def _take(self, payload: bytes) -> bytes | None:
        self.payloads.append(payload)
        now = time.time()
        try:
            record = parse_notification(payload, self.access, now)
        except ParseError as error:
            self.refused.append(error)
            return report_for(payload, self.access, now, error.reason)
        self.records.append(record)
        return record.response
