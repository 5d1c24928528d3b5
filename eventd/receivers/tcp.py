"""Syslog over TCP (RFC 6587) and TLS (RFC 5425).

One connection is one `Framer`. Allow list and connection limits are judged before the TLS handshake, so that unfinished
handshakes use up connections and nothing else. A source that has its share of the sink is not read until there is room
again, and while the sink is full nobody is, and none accepted: the kernel's window closes and the sender waits.

Known limit of uvloop (0.23), not of asyncio: what a TLS sender sent while the sink was full is thrown away when it
closes the connection before there is room.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from eventd.contract import Framer, Sink
from eventd.model import Message
from eventd.receivers import kernel
from eventd.receivers.addresses import Sources, join_host_port
from eventd.receivers.complaints import Complaints
from eventd.receivers.connection import Connection, cause
from eventd.receivers.quotas import Quotas
from eventd.receivers.roster import Roster
from eventd.receivers.settings import HANDSHAKE_TIMEOUT_S, IDLE_TIMEOUT_S, MAX_CONNECTIONS
from eventd.receivers.tls import Fingerprints
from eventd.telemetry import Telemetry, get_logger

#: Connections accepted per turn of the loop, so that a flood of them leaves time for messages.
ACCEPT_CONNECTIONS = 64

#: Pause after the system refused to accept (too many open files, no memory), instead of asking it again at once.
ACCEPT_PAUSE_S = 1.0

#: Turns of the loop at stop, so that what senders believe delivered is taken (at most 16 MB each: asyncio reads 256 KiB
#: at once) and a flood does not keep us from stopping.
STOP_READS = 64

#: For the peer's close_notify; who does not send it by then is not worth a connection.
TLS_CLOSE_TIMEOUT_S = 5.0


class StreamReceiver:
    """Receives on one address until stopped.

    Args:
        listen: ``ADDRESS:PORT``, see `parse_listen`.
        transport: ``syslog-tcp`` or ``syslog-tls``.
        framer: makes the `Framer` of one connection.
        ssl_context: from `eventd.receivers.tls.make_context`; None for plain TCP.
        fingerprints: which of the certificates that it trusts may connect.
        max_connections: for one more, the oldest that never sent a whole message is closed, or else the new one.
        max_per_source: connections of one source beyond are closed at once and counted; None for a quarter of all.
        idle_timeout: seconds of silence after which a connection is closed; 0 for never.
        handshake_timeout: seconds for a TLS handshake.
        allow: networks that may connect (empty: everybody).
        max_rate: messages per second that one source may send on average; who sends more is read more slowly.
        clock: Unix seconds; read once per piece of stream.
    """

    def __init__(
        self,
        listen: str,
        transport: str,
        sink: Sink,
        telemetry: Telemetry,
        *,
        framer: Callable[[], Framer],
        ssl_context: ssl.SSLContext | None = None,
        fingerprints: Sequence[str] = (),
        max_connections: int = MAX_CONNECTIONS,
        max_per_source: int | None = None,
        idle_timeout: float = IDLE_TIMEOUT_S,
        handshake_timeout: float = HANDSHAKE_TIMEOUT_S,
        allow: Iterable[str] = (),
        max_rate: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.listen, self.name, self.framer = listen, transport, framer
        self.ssl_context, self.idle_timeout = ssl_context, idle_timeout
        self.fingerprints = Fingerprints(fingerprints)
        self.paused = False
        self._sink, self._telemetry, self._clock = sink, telemetry, clock
        self._handshake_timeout = handshake_timeout
        self._sources, self._complaints = Sources(allow), Complaints(telemetry, transport=transport, listen=listen)
        self._quotas = Quotas(max_rate) if max_rate else None
        self._connections = Roster[Connection](max_connections, max_per_source)
        self._held: set[str] = set()
        self._openings: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._stopping = False
        self._pieces = 0

    async def start(self) -> None:
        """Bind and accept. Raises `ListenError`."""
        self._listener = kernel.bind(self.listen, socket.SOCK_STREAM)
        self._accept_again()
        get_logger("receivers").info("listening", transport=self.name, address=join_host_port(*self.address))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port the socket is bound to; only between start and stop."""
        assert self._listener is not None, "not started"
        host, port = self._listener.getsockname()[:2]
        return host, port

    async def stop(self) -> None:
        """Accept no more, take what has arrived, even into a full sink, and close every connection."""
        if self._listener is None:
            return
        self._stopping = True
        self._accept()  # who is in the queue believes to be connected, and may have sent all it had
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        self._resume()
        await self._take_the_rest()
        for opening in self._openings:
            opening.cancel()
        for connection in self._connections:
            connection.end()
        await asyncio.gather(*self._openings, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in the turn after

    async def _take_the_rest(self) -> None:
        for _ in range(STOP_READS):
            before = self._pieces
            for _ in range(2):  # one turn of the loop to see what is readable, one to have read it
                await asyncio.sleep(0)
            if before == self._pieces and not self._openings:
                return

    # --- new connections ----------------------------------------------------------------------------------------

    def _accept_again(self) -> None:
        if self._listener is not None and not self.paused:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        assert self._listener is not None
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPT_CONNECTIONS):
            try:
                sock, (host, port, *_) = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._complaints.warn("cannot accept connections", self.listen, error=str(error))
                loop.remove_reader(self._listener)
                loop.call_later(ACCEPT_PAUSE_S, self._accept_again)
                return
            source, refusal = self._judge(host)
            if refusal:
                sock.close()
                self.refuse(refusal, source)
            else:
                self._admit(sock, source, port)

    def _judge(self, host: str) -> tuple[str, str | None]:
        """Canonical source of a connection, and why it may not stay."""
        source, allowed = self._sources.look_up(host)
        if not allowed:
            return source, "not_allowed"
        if self._connections.has_its_share(source):
            return source, "source_limit"
        return source, "limit" if self._connections.full and not self._make_room(source) else None

    def _make_room(self, source: str) -> bool:
        """Close a connection that nobody will miss; whether there was one."""
        victim = self._connections.least_missed(source)
        if victim is None:
            return False
        victim.end()
        self.refuse("evicted", victim.source)
        return True

    def _admit(self, sock: socket.socket, source: str, port: int) -> None:
        connection = Connection(self, source, port)
        self._connections.add(connection)
        self._telemetry.inc("connections", self.name)
        task = asyncio.get_running_loop().create_task(self._open(connection, sock))
        self._openings.add(task)
        task.add_done_callback(self._openings.discard)
        connection.opening = task

    async def _open(self, connection: Connection, sock: socket.socket) -> None:
        """Begin to read, for TLS after the handshake; `Connection` then lives by what the loop tells it."""
        sock.setblocking(False)
        secure = self.ssl_context is not None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=self.ssl_context,
                ssl_handshake_timeout=self._handshake_timeout if secure else None,
                ssl_shutdown_timeout=TLS_CLOSE_TIMEOUT_S if secure else None,
            )
        except OSError as error:
            if self.release(connection):
                self.refuse("handshake", connection.source, error=cause(error))
        except asyncio.CancelledError:
            self.release(connection)
            raise

    # --- what a connection needs --------------------------------------------------------------------------------

    def release(self, connection: Connection) -> bool:
        """Forget a connection; whether it was still known."""
        if connection not in self._connections:
            return False
        self._connections.remove(connection)
        self._telemetry.inc("connections", self.name, n=-1)
        return True

    def refuse(self, reason: str, source: str, **detail: object) -> None:
        """Count a connection closed by us, and log it."""
        self._telemetry.inc("connections_refused", self.name, reason)
        self._complaints.warn("connection closed", source, reason=reason, **detail)

    def take(self, payloads: list[bytes], source: str, port: int) -> float:
        """Hand messages to the sink, and stop reading and accepting if that fills it.

        Returns for how many seconds this source should not be read.
        """
        wait = 0.0
        self._pieces += 1
        if payloads:
            received_at = round(self._clock(), 6)
            self._telemetry.inc("received", self.name, n=len(payloads))
            self._sink.put([Message(self.name, source, port, received_at, payload) for payload in payloads])
            if self._quotas:
                wait = self._quotas.wait_after(source, len(payloads), received_at)
        if self._stopping:
            return 0.0
        if self._sink.full and not self.paused:
            self.paused = True
            if self._listener is not None:
                asyncio.get_running_loop().remove_reader(self._listener)
            for connection in self._connections:
                connection.pause()
            self._sink.on_room(self._resume)
        elif self._sink.crowded(source) and source not in self._held:
            self._held.add(source)
            for connection in self._connections.of(source):
                connection.pause()
            self._sink.on_room(partial(self._let_on, source))
        return wait

    def holds(self, source: str) -> bool:
        """Whether this source must not be read now."""
        return self.paused or source in self._held

    def _let_on(self, source: str) -> None:
        self._held.discard(source)
        for connection in self._connections.of(source):
            connection.resume()

    def damaged(self, reason: str, count: int, source: str) -> None:
        """Count damaged frames."""
        self._telemetry.inc("frame_errors", self.name, reason, n=count)
        self._complaints.warn("damaged frame", source, reason=reason)

    def broken(self, source: str, error: Exception) -> None:
        """Log a connection that ended by an error; what came before it is kept."""
        self._complaints.warn("connection broken", source, error=cause(error))

    def _resume(self) -> None:
        self.paused = False
        for connection in self._connections:
            connection.resume()
        self._accept_again()
