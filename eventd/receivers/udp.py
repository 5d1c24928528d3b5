"""UDP: syslog datagrams (RFC 5426) and SNMP notifications (RFC 3417).

asyncio's datagram endpoint reads one datagram per turn of the loop. Here the loop only says that the socket is
readable, and a bounded drain takes what is there.
"""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from eventd.contract import Sink
from eventd.errors import RejectReason
from eventd.model import Message
from eventd.receivers import kernel
from eventd.receivers.addresses import ANY_IPV4, ANY_IPV6, Sources, join_host_port
from eventd.receivers.complaints import Complaints
from eventd.receivers.quotas import Quotas
from eventd.receivers.settings import RECV_BUFFER_BYTES
from eventd.telemetry import Telemetry, get_logger

#: Datagrams taken per turn of the loop: one to two milliseconds of work, after which timers and other sockets get
#: their turn. Also the most by which a drain can overfill the intake.
DRAIN_DATAGRAMS = 512

#: Drains at stop. A receive buffer holds at most one datagram per 768 bytes (the least the kernel charges for one),
#: so this empties 24 MB; a flood does not keep us from stopping.
STOP_DRAINS = 64

#: Longer than any UDP payload (65,507 bytes on IPv4, 65,527 on IPv6), so that nothing is ever cut.
DATAGRAM_BYTES = 65_536

#: Name of a socket whose messages are told apart by a classifier; see `eventd.model.SNMP_TRANSPORTS`.
CLASSIFIED = "snmp"

#: How many datagrams were refused, by transport and reason.
Refused = Counter[tuple[str, str]]

Received = tuple[int, Any, kernel.Ancillary]


class UdpReceiver:
    """Receives on one address until stopped.

    Args:
        listen: ``ADDRESS:PORT``, see `parse_listen`.
        transport: name of the transport, or a function from datagram to name (SNMP versions share a port).
        sink: where messages go. While it is full nothing is read: the kernel keeps, and counts what it cannot keep.
        split: cuts a datagram into several messages; what it returns empty stays one message.
        allow: networks that may send (empty: everybody). Others are counted ``received`` and ``rejected``.
        max_rate: messages per second that one source may send on average; more are counted in the same way.
        recv_buffer_bytes: receive buffer to ask the kernel for.
        replies: give each `Message` a ``reply`` that answers its sender.
        clock: Unix seconds; read once per drain, at its start.
    """

    def __init__(
        self,
        listen: str,
        transport: str | Callable[[bytes], str],
        sink: Sink,
        telemetry: Telemetry,
        *,
        split: Callable[[bytes], list[bytes]] | None = None,
        allow: Iterable[str] = (),
        max_rate: float | None = None,
        recv_buffer_bytes: int = RECV_BUFFER_BYTES,
        replies: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.listen, self.name = listen, transport if isinstance(transport, str) else CLASSIFIED
        self._classify = (lambda _: transport) if isinstance(transport, str) else transport
        self._split = split
        self._sink, self._telemetry, self._clock = sink, telemetry, clock
        self._sources, self._complaints = Sources(allow), Complaints(telemetry, transport=self.name, listen=listen)
        self._quotas = Quotas(max_rate) if max_rate else None
        self._recv_buffer_bytes, self._replies = recv_buffer_bytes, replies
        self._buffer = memoryview(bytearray(DATAGRAM_BYTES))
        self._socket: socket.socket | None = None
        self._receive: Callable[[], Received] = self._receive_plain
        self._stopped = False
        self._final_drops = 0

    async def start(self) -> None:
        """Bind and begin to read. Raises `ListenError`."""
        self._socket = sock = kernel.bind(self.listen, socket.SOCK_DGRAM)
        granted = kernel.set_receive_buffer(sock, self._recv_buffer_bytes)
        self._telemetry.set("receive_buffer_bytes", self.name, self.listen, value=granted)
        self._telemetry.set("receive_buffer_requested_bytes", self.name, self.listen, value=self._recv_buffer_bytes)
        if granted < self._recv_buffer_bytes:
            advice = "raise net.core.rmem_max or grant CAP_NET_ADMIN"
            self._complaints.warn("receive buffer smaller than asked for", self.listen, granted=granted, advice=advice)
        if self._replies and sock.getsockname()[0] in (ANY_IPV4, ANY_IPV6):
            kernel.ask_destination(sock)
            self._receive = self._receive_with_destination
        self._read()
        get_logger("receivers").info("listening", transport=self.name, address=join_host_port(*self.address))

    @property
    def address(self) -> tuple[str, int]:
        """Host and port the socket is bound to; only between start and stop."""
        assert self._socket is not None, "not started"
        host, port = self._socket.getsockname()[:2]
        return host, port

    def drops(self) -> int:
        """Datagrams the kernel dropped on this socket since it was bound; keeps its last value after `stop`."""
        return self._final_drops if self._socket is None else kernel.dropped(self._socket)

    async def stop(self, *, keep_replies: bool = False) -> None:
        """Take what the kernel still holds, even into a full sink, and close.

        With ``keep_replies`` the socket stays open for sending, so that informs committed during the drain of the
        pipeline can be answered; stop again to close it. What still arrives is counted with `drops`.
        """
        if self._socket is None:
            return
        if not self._stopped:
            self._stopped = True
            self._pause()
            kernel.refuse_more(self._socket)
            self._drain_all()
        if not keep_replies:
            self._final_drops = self.drops()
            self._socket.close()
            self._socket = None

    # --- reading ------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        if not self._stopped:
            assert self._socket is not None
            asyncio.get_running_loop().add_reader(self._socket, self._on_readable)

    def _pause(self) -> None:
        assert self._socket is not None
        asyncio.get_running_loop().remove_reader(self._socket)

    def _on_readable(self) -> None:
        if self._sink.full:
            self._pause()
            self._sink.on_room(self._read)
        else:
            self._drain()

    def _drain_all(self) -> None:
        for _ in range(STOP_DRAINS):
            if not self._drain():
                break

    def _drain(self) -> bool:
        """Hand over what the kernel holds, up to a bound; whether there may be more."""
        received_at, messages, refused = round(self._clock(), 6), list[Message](), Refused()
        receive, buffer, take = self._receive, self._buffer, self._take
        look_up, quotas = self._sources.look_up, self._quotas
        more = False
        for _ in range(DRAIN_DATAGRAMS):
            try:
                size, sender, origin = receive()
            except BlockingIOError:
                break
            except OSError as error:  # an ICMP error for an answer of ours, say: it is read once, and reading goes on
                self._complaints.warn("error on socket", self.listen, error=str(error))
                continue
            payload = bytes(buffer[:size])
            source, allowed = look_up(sender[0])
            if not allowed:
                refused[self._classify(payload), RejectReason.NOT_ALLOWED] += 1
            elif quotas is not None and not quotas.allows(source, received_at):
                refused[self._classify(payload), RejectReason.RATE_LIMITED] += 1
            else:
                take(messages, payload, source, sender, origin, received_at)
        else:
            more = True
        self._deliver(messages, refused)
        return more

    def _take(
        self,
        messages: list[Message],
        payload: bytes,
        source: str,
        sender: Any,
        origin: kernel.Ancillary,
        received_at: float,
    ) -> None:
        reply = partial(self._reply, sender, origin) if self._replies else None
        messages += [
            Message(self._classify(part), source, sender[1], received_at, part, reply)
            for part in (self._split and self._split(payload)) or (payload,)
        ]

    def _deliver(self, messages: list[Message], refused: Refused) -> None:
        for transport, count in Counter(message.transport for message in messages).items():
            self._telemetry.inc("received", transport, n=count)
        for (transport, reason), count in refused.items():
            self._telemetry.inc("received", transport, n=count)
            self._telemetry.inc("rejected", transport, reason, n=count)
        if messages:
            self._sink.put(messages)

    def _receive_plain(self) -> Received:
        assert self._socket is not None
        size, sender = self._socket.recvfrom_into(self._buffer)
        return size, sender, []

    def _receive_with_destination(self) -> Received:
        assert self._socket is not None
        size, received, _, sender = self._socket.recvmsg_into([self._buffer], kernel.PKTINFO_SPACE)
        return size, sender, kernel.answer_from(received)

    # --- answering ----------------------------------------------------------------------------------------------

    def _reply(self, sender: Any, origin: kernel.Ancillary, answer: bytes) -> None:
        try:
            self._send(sender, origin, answer)
        except OSError as error:
            self._complaints.warn("answer not sent", self._sources.look_up(sender[0])[0], error=str(error))
            self._telemetry.inc("replies", "failed")
        else:
            self._telemetry.inc("replies", "sent")

    def _send(self, sender: Any, origin: kernel.Ancillary, answer: bytes) -> None:
        if self._socket is None:
            raise OSError("the receiver is closed")
        try:
            self._socket.sendmsg([answer], origin, 0, sender)
        except OSError:
            if not origin:
                raise
            # The address it came to cannot be sent from (a broadcast address, or gone since): let routing choose.
            self._socket.sendto(answer, sender)


def kernel_drops(receivers: Iterable[UdpReceiver]) -> Mapping[tuple[str, ...], float]:
    """`UdpReceiver.drops` summed per transport, in the shape `Telemetry.provide` wants for ``kernel_drops``."""
    drops: dict[tuple[str, ...], float] = {}
    for receiver in receivers:
        drops[receiver.name,] = drops.get((receiver.name,), 0) + receiver.drops()
    return drops
