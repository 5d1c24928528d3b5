"""Carries messages to a receiver and says how many octets went out. Blocking: one sender, one destination."""

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Protocol

#: A receiver on the same network answers a connection in milliseconds; beyond this nobody will.
CONNECT_TIMEOUT_S = 10.0
#: How long a stream waits at its end for the receiver to take the rest.
LINGER_S = 2.0

FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "octet": lambda message: b"%d %s" % (len(message), message),  # RFC 6587 section 3.4.1
    "lf": lambda message: message + b"\n",  # RFC 6587 section 3.4.2
    "crlf": lambda message: message + b"\r\n",
    "nul": lambda message: message + b"\0",
}


class Link(Protocol):
    """One open way to a receiver. All methods raise `OSError` where the network says no."""

    def send(self, message: bytes) -> int:
        """Send one message; the number of octets that it took, framing included."""

    def close(self) -> None:
        """Let the rest go out and hang up."""


class DatagramLink:
    """UDP, one datagram per message."""

    def __init__(self, host: str, port: int) -> None:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind, proto)
        self._socket.connect(address)

    def send(self, message: bytes) -> int:
        """One datagram. Raises `ConnectionRefusedError` when the one before found nobody."""
        return self._socket.send(message)

    def close(self) -> None:
        """Raises `ConnectionRefusedError` when the last datagram is known to have found nobody."""
        with self._socket:
            if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, "nothing listens there")


class StreamLink:
    """TCP or, with ``tls``, TLS (RFC 6587, RFC 5425)."""

    def __init__(self, host: str, port: int, framing: str, tls: ssl.SSLContext | None = None) -> None:
        self._frame = FRAMINGS[framing]
        self._socket = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)

    def send(self, message: bytes) -> int:
        """One frame."""
        framed = self._frame(message)
        self._socket.sendall(framed)
        return len(framed)

    def close(self) -> None:
        """Say that nothing follows and wait shortly for the far end to hang up too, so that no reset eats the rest."""
        with self._socket as stream:
            stream.settimeout(LINGER_S)
            if isinstance(stream, ssl.SSLSocket):
                _say_goodbye(stream)
                return
            stream.shutdown(socket.SHUT_WR)
            with contextlib.suppress(TimeoutError):
                while stream.recv(4096):
                    pass


def _say_goodbye(stream: ssl.SSLSocket) -> None:
    # What we sent is with the kernel; a receiver that hangs up without closing TLS is within its rights.
    with contextlib.suppress(TimeoutError, ssl.SSLError, ConnectionResetError):
        stream.unwrap()


def tls_context(
    ca_file: str | None = None, cert_file: str | None = None, key_file: str | None = None, *, insecure: bool = False
) -> ssl.SSLContext:
    """A client context: the system's authorities or ``ca_file``, our certificate if the receiver wants one.

    Raises:
        OSError: a file cannot be read or holds no certificate or key (`ssl.SSLError` is one).
    """
    context = ssl.create_default_context(cafile=ca_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context


def paced(
    count: int,
    rate: float | None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """0, 1, … ``count`` - 1, ``rate`` per second from the first one on; as fast as asked for where it is None.

    A late number does not delay the following ones: the average is kept.
    """
    start = clock()
    for number in range(count):
        if rate is not None and (wait := start + number / rate - clock()) > 0:
            sleep(wait)
        yield number
