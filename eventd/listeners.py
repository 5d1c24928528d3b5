"""The receivers that a configuration asks for: made, started, replaced on a reload, and stopped in two steps."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from eventd.config import Receivers, SnmpReceiver
from eventd.contract import Sink
from eventd.errors import EventdError
from eventd.parse.framing import StreamFramer, split_datagram
from eventd.parse.snmp import transport_of
from eventd.receivers.kernel import ListenError
from eventd.receivers.settings import Snmp, SyslogTcp, SyslogTls
from eventd.receivers.tcp import StreamReceiver
from eventd.receivers.udp import UdpReceiver, kernel_drops
from eventd.telemetry import Telemetry
from eventd.verify import tls_context

Receiver = UdpReceiver | StreamReceiver
#: Kind, listen address, and the settings that the socket is made of.
Key = tuple[str, str, Any]


class Listeners:
    """All receivers of one running eventd, by what they were made from, so that a reload touches only what changed."""

    def __init__(self, sink: Sink, telemetry: Telemetry, clock: Callable[[], float]) -> None:
        self.running: dict[Key, Receiver] = {}
        self._sink, self._telemetry, self._clock = sink, telemetry, clock
        self._dropped_before = Counter[tuple[str, ...]]()

    async def replace(self, receivers: Receivers) -> None:
        """Start what is new and stop what is gone; what did not change keeps its sockets and connections, and only
        takes a renewed certificate.

        Raises:
            EventdError: something could not be started (`ListenError` where it is one address, else all are named, or
                `ConfigError`); the rest stays.
        """
        wanted = dict(self._wanted(receivers))
        retired = {key[:2]: self.running.pop(key) for key in list(self.running) if key not in wanted}
        for receiver in retired.values():
            await self._retire(receiver)
        refused: list[ListenError] = []
        for key, make in wanted.items():
            if key not in self.running:
                receiver = make()
                try:
                    await receiver.start()
                except ListenError as error:
                    refused.append(error)
                    continue
                self.running[key] = receiver
                _succeed(retired.get(key[:2]), receiver)
            elif isinstance(key[2], SyslogTls) and isinstance(running := self.running[key], StreamReceiver):
                running.ssl_context = tls_context(key[2])
        if len(refused) > 1:
            raise EventdError("; ".join(map(str, refused)))
        if refused:
            raise refused[0]

    def missing(self, receivers: Receivers) -> list[str]:
        """What the configuration asks for and is not running, because a reload could not put it back."""
        return [f"{key[0]} on {key[1]}" for key, _ in self._wanted(receivers) if key not in self.running]

    async def stop_reading(self) -> None:
        """Take no more messages; sockets by which informs are answered stay open until `close`."""
        for receiver in self.running.values():
            if isinstance(receiver, UdpReceiver):
                await receiver.stop(keep_replies=True)
            else:
                await receiver.stop()

    async def close(self) -> None:
        """Close every socket."""
        for receiver in self.running.values():
            await receiver.stop()

    def poll(self) -> None:
        """Have datagrams taken that arrived during a long step of other work."""
        for receiver in self.running.values():
            if isinstance(receiver, UdpReceiver):
                receiver.poll()

    def settle(self) -> None:
        """Count what heavy sources lost in the kernel; before every scrape."""
        for receiver in self.running.values():
            if isinstance(receiver, UdpReceiver):
                receiver.settle()

    def kernel_drops(self) -> Mapping[tuple[str, ...], float]:
        """Datagrams that the kernel dropped on our sockets, by transport, those of replaced ones included."""
        dropped = Counter(self._dropped_before)
        dropped.update(_drops(self.running.values()))
        return dict(dropped)

    async def _retire(self, receiver: Receiver) -> None:
        await receiver.stop()
        self._dropped_before.update(_drops([receiver]))

    def _wanted(self, receivers: Receivers) -> Iterable[tuple[Key, Callable[[], Receiver]]]:
        makers: dict[str, Callable[[str, Any], Receiver]] = {
            "syslog_udp": self._udp,
            "syslog_tcp": self._tcp,
            "syslog_tls": self._tls,
            "snmp": self._snmp,
        }
        for kind, make in makers.items():
            settings = getattr(receivers, kind)
            for address in settings.addresses if settings else ():
                yield (kind, address, _sockets(settings)), partial(make, address, settings)

    def _udp(self, address: str, settings: Any) -> Receiver:
        return self._datagrams(address, settings, "syslog-udp", split=split_datagram)

    def _snmp(self, address: str, settings: Any) -> Receiver:
        return self._datagrams(address, settings, transport_of, replies=True)

    def _datagrams(self, address: str, settings: Any, transport: Any, **more: Any) -> Receiver:
        return UdpReceiver(
            address,
            transport,
            self._sink,
            self._telemetry,
            allow=settings.allow,
            max_rate=settings.max_messages_per_second_per_source,
            recv_buffer_bytes=settings.recv_buffer_bytes,
            clock=self._clock,
            **more,
        )

    def _tcp(self, address: str, settings: SyslogTcp, transport: str = "syslog-tcp", **more: Any) -> Receiver:
        return StreamReceiver(
            address,
            transport,
            self._sink,
            self._telemetry,
            framer=lambda: StreamFramer(settings.max_message_bytes),
            max_connections=settings.max_connections,
            max_per_source=settings.max_connections_per_source,
            idle_timeout=settings.idle_timeout,
            allow=settings.allow,
            max_rate=settings.max_messages_per_second_per_source,
            clock=self._clock,
            **more,
        )

    def _tls(self, address: str, settings: SyslogTls) -> Receiver:
        context, timeout = tls_context(settings), settings.handshake_timeout
        return self._tcp(
            address,
            settings,
            "syslog-tls",
            ssl_context=context,
            fingerprints=settings.client_fingerprints,
            handshake_timeout=timeout,
        )


def _sockets(settings: Any) -> Any:
    """The part of a receiver's settings that its socket is made of: whom to believe can change without it."""
    if isinstance(settings, SnmpReceiver):
        settings = Snmp(**{name: getattr(settings, name) for name in Snmp.__struct_fields__})
    return msgspec.structs.replace(settings, trusted_forwarders=())


def _succeed(old: Receiver | None, new: Receiver) -> None:
    """Informs that the old socket took and that are not committed yet are answered by the new one."""
    if isinstance(old, UdpReceiver) and isinstance(new, UdpReceiver):
        old.successor = new


def _drops(receivers: Iterable[Receiver]) -> Mapping[tuple[str, ...], float]:
    return kernel_drops(receiver for receiver in receivers if isinstance(receiver, UdpReceiver))
