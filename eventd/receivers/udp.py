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
from eventd.receivers.lanes import Lane, Lanes
from eventd.receivers.quotas import Quotas
from eventd.receivers.settings import RECV_BUFFER_BYTES
from eventd.telemetry import Telemetry, get_logger

#: Datagrams taken per turn of the loop: one to two milliseconds of work, after which timers and other sockets get
#: their turn. Also the most by which a drain can overfill the intake.
DRAIN_DATAGRAMS = 512

#: So many of one source in one drain make it heavy: a quarter of the receive buffer that needs no privilege (about 280
#: small datagrams). A lane of its own does not harm a source that only had much to say for once.
HEAVY_DATAGRAMS = 64

#: What is logged of a source that loses messages by it; deploy/prometheus-rules.yml sends people to look for it.
TOO_MUCH = "source sends more than its share"

#: Pause on a lane that holds nothing but messages to refuse: the kernel drops and counts them for less.
REFUSED_PAUSE_S = 0.05

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
        self._lanes: Lanes | None = None
        self._receive = _receive_plain
        self._new_lanes: list[Lane] = []
        self._stopped = False
        self._final_drops = 0
        #: Once this one is closed: the receiver that answers in its place, from the same address.
        self.successor: UdpReceiver | None = None

    async def start(self) -> None:
        """Bind and begin to read. Raises `ListenError`."""
        main = kernel.bind(self.listen, socket.SOCK_DGRAM)
        if self._replies and main.getsockname()[0] in (ANY_IPV4, ANY_IPV6):
            self._receive = _receive_with_destination
        granted = self._prepare(main)
        self._telemetry.set("receive_buffer_bytes", self.name, self.listen, value=granted)
        self._telemetry.set("receive_buffer_requested_bytes", self.name, self.listen, value=self._recv_buffer_bytes)
        if granted < self._recv_buffer_bytes:
            advice = "raise net.core.rmem_max or grant CAP_NET_ADMIN"
            self._complaints.warn("receive buffer smaller than asked for", self.listen, granted=granted, advice=advice)
        self._lanes = Lanes(main, self._sources.networks, self._prepare)
        if self._lanes.refusal is not None:
            self._complaints.warn("all sources share one receive buffer", self.listen, error=self._lanes.refusal)
        for lane in self._lanes.all:
            self._read(lane)
        get_logger("receivers").info("listening", transport=self.name, address=join_host_port(*self.address))

    def _prepare(self, sock: socket.socket) -> int:
        if self._receive is _receive_with_destination:
            kernel.ask_destination(sock)
        return kernel.set_receive_buffer(sock, self._recv_buffer_bytes)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port the socket is bound to; only between start and stop."""
        assert self._lanes is not None, "not started"
        host, port = self._lanes.main.sock.getsockname()[:2]
        return host, port

    def drops(self) -> int:
        """Datagrams the kernel dropped since the start, but for those that `settle` counts; kept after `stop`."""
        return self._final_drops if self._lanes is None else kernel.dropped(self._lanes.main.sock)

    def settle(self) -> None:
        """Count what heavy sources and strangers lost in the kernel, on the sockets of their own, as rejected."""
        for lane in self._lanes.all[1:] if self._lanes else ():
            self._count_lost(lane)

    def _count_lost(self, lane: Lane) -> None:
        assert self._lanes is not None
        if not (lost := lane.new_drops()):
            return
        reason = RejectReason.RATE_LIMITED
        if self._lanes.is_for_strangers(lane):
            reason = RejectReason.NOT_ALLOWED
        else:
            self._complaints.warn(TOO_MUCH, ", ".join(self._lanes.sources(lane)), lost=lost)
        self._telemetry.inc("received", self.name, n=lost)
        self._telemetry.inc("rejected", self.name, reason, n=lost)

    async def stop(self, *, keep_replies: bool = False) -> None:
        """Take what the kernel still holds, even into a full sink, and close.

        With ``keep_replies`` the socket stays open for sending, so that informs committed during the drain of the
        pipeline can be answered; stop again to close it. What still arrives is counted with `drops`.
        """
        if self._lanes is None:
            return
        if not self._stopped:
            self._stopped = True
            for lane in self._lanes.all:
                self._pause(lane)
                kernel.refuse_more(lane.sock)
            for lane in self._lanes.all:
                self._drain_all(lane)
        self.settle()
        if not keep_replies:
            self._final_drops = self.drops()
            for lane in self._lanes.all:
                lane.sock.close()
            self._lanes = None

    # --- reading ------------------------------------------------------------------------------------------------

    def _read(self, lane: Lane) -> None:
        if not self._stopped:
            asyncio.get_running_loop().add_reader(lane.sock, self._on_readable, lane)
            lane.reading = True

    def _pause(self, lane: Lane) -> None:
        lane.reading = False
        asyncio.get_running_loop().remove_reader(lane.sock)

    def poll(self) -> None:
        """Take what has arrived, now: a receive buffer must not wait for a long step of other work."""
        for lane in tuple(self._lanes.all) if self._lanes else ():
            if lane.reading:
                self._on_readable(lane)

    def _on_readable(self, lane: Lane) -> None:
        if self._sink.full or self._crowding(lane):
            self._pause(lane)
            self._sink.on_room(partial(self._read, lane))
        else:
            self._drain(lane)

    def _crowding(self, lane: Lane) -> bool:
        """Whether who has this lane for himself holds more of the sink than his share."""
        return (
            lane.number > 0
            and self._lanes is not None
            and any(self._sink.crowded(source) for source in self._lanes.sources(lane))
        )

    def _drain_all(self, lane: Lane) -> None:
        for _ in range(STOP_DRAINS):
            if not self._drain(lane):
                break

    def _drain(self, lane: Lane) -> bool:
        """Hand over what the kernel holds, up to a bound; whether there may be more."""
        received_at, messages, refused = round(self._clock(), 6), list[Message](), Refused()
        receive, sock, buffer = self._receive, lane.sock, self._buffer
        classify, split, replies, take = self._classify, self._split, self._replies, messages.append
        look_up, quotas, barred = self._sources.look_up, self._quotas, self._barred(lane)
        heard, more = list[str](), False
        for _ in range(DRAIN_DATAGRAMS):
            try:
                size, sender, origin = receive(sock, buffer)
            except BlockingIOError:
                break
            except OSError as error:  # an ICMP error for an answer of ours, say: it is read once, and reading goes on
                self._complaints.warn("error on socket", self.listen, error=str(error))
                continue
            payload = bytes(buffer[:size])
            source, allowed = look_up(sender[0])
            heard.append(source)
            if not allowed:
                refused[classify(payload), RejectReason.NOT_ALLOWED] += 1
            elif source in barred or (quotas is not None and not quotas.allows(source, received_at)):
                refused[classify(payload), RejectReason.RATE_LIMITED] += 1
            else:
                reply = partial(self._reply, sender, origin) if replies else None
                for part in (split and split(payload)) or (payload,):
                    take(Message(classify(part), source, sender[1], received_at, part, reply))
        else:
            more = True
        self._deliver(messages, refused)
        if not self._stopped:
            self._make_way(lane, heard, more=more, only_refused=not messages)
        return more

    # --- heavy sources --------------------------------------------------------------------------------------------

    def _barred(self, lane: Lane) -> set[str]:
        """Heavy sources of which the sink has enough: what they still have in everybody's lane is refused."""
        if lane.number > 0 or self._stopped or self._lanes is None:
            return set()
        return {source for source in self._lanes.owners if self._sink.crowded(source)}

    def _make_way(self, lane: Lane, heard: list[str], *, more: bool, only_refused: bool) -> None:
        """After a drain: give heavy sources a lane of their own, and let floods of refused messages wait in theirs."""
        assert self._lanes is not None
        lane.heard_at = time.monotonic()
        if lane.number > 0:
            self._count_lost(lane)
            if more and only_refused:
                self._pause(lane)
                asyncio.get_running_loop().call_later(REFUSED_PAUSE_S, self._read, lane)
            return
        for source, count in Counter(heard).items():
            heavy = count >= HEAVY_DATAGRAMS or self._sink.crowded(source)
            if heavy and source not in self._lanes.owners:
                new = self._lanes.give(source)
                self._new_lanes.append(new)
                if new is lane:  # where it cannot be steered away, it is refused here from now on
                    self._complaints.warn(TOO_MUCH, source)
        if not more:  # what its new owner still had in everybody's lane came first
            for new in self._new_lanes:
                if not new.reading:
                    self._read(new)
            self._new_lanes.clear()

    def _deliver(self, messages: list[Message], refused: Refused) -> None:
        for transport, count in Counter(message.transport for message in messages).items():
            self._telemetry.inc("received", transport, n=count)
        for (transport, reason), count in refused.items():
            self._telemetry.inc("received", transport, n=count)
            self._telemetry.inc("rejected", transport, reason, n=count)
        if messages:
            self._sink.put(messages)

    # --- answering ----------------------------------------------------------------------------------------------

    def _reply(self, sender: Any, origin: kernel.Ancillary, answer: bytes) -> None:
        try:
            self.send_from(sender, origin, answer)
        except OSError as error:
            self._complaints.warn("answer not sent", self._sources.look_up(sender[0])[0], error=str(error))
            self._telemetry.inc("replies", "failed")
        else:
            self._telemetry.inc("replies", "sent")

    def send_from(self, sender: Any, origin: kernel.Ancillary, answer: bytes) -> None:
        """Answer from the address that a message came to. OSError: it cannot be sent."""
        if self._lanes is None:
            if self.successor is None:
                raise OSError("the receiver is closed")
            self.successor.send_from(sender, origin, answer)
            return
        sock = self._lanes.main.sock
        try:
            sock.sendmsg([answer], origin, 0, sender)
        except OSError:
            if not origin:
                raise
            # The address it came to cannot be sent from (a broadcast address, or gone since): let routing choose.
            sock.sendto(answer, sender)


def _receive_plain(sock: socket.socket, buffer: memoryview) -> Received:
    size, sender = sock.recvfrom_into(buffer)
    return size, sender, []


def _receive_with_destination(sock: socket.socket, buffer: memoryview) -> Received:
    size, received, _, sender = sock.recvmsg_into([buffer], kernel.PKTINFO_SPACE)
    return size, sender, kernel.answer_from(received)


def kernel_drops(receivers: Iterable[UdpReceiver]) -> Mapping[tuple[str, ...], float]:
    """`UdpReceiver.drops` summed per transport, in the shape `Telemetry.provide` wants for ``kernel_drops``."""
    drops: dict[tuple[str, ...], float] = {}
    for receiver in receivers:
        drops[receiver.name,] = drops.get((receiver.name,), 0) + receiver.drops()
    return drops
