"""Configuration of the sockets: ``[receivers.*]``. What a protocol needs beyond its socket is added in `eventd.config`.

Durations are seconds. Each address of ``listen`` gets a receiver, buffer and connection limit of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from eventd.checked import Fault, trying
from eventd.discreet import Discreet
from eventd.receivers.addresses import parse_listen, parse_networks
from eventd.receivers.tls import parse_fingerprint

MIB = 1 << 20

#: A default-sized Huawei syslog of 440 bytes takes about 1.3 kB of kernel memory, so this rides out a stall of about
#: half a second at 10,000 messages/s. More is granted only with CAP_NET_ADMIN or a higher net.core.rmem_max.
RECV_BUFFER_BYTES = 4 * MIB

#: One each for a thousand devices, at a few kB while idle. The limit of open files must leave room for them.
MAX_CONNECTIONS = 1_000

#: Each TLS connection holds a read buffer of 256 KiB (asyncio.sslproto), so a thousand would take 250 MB.
MAX_TLS_CONNECTIONS = 256

#: 0: never. A sender notices that a silent connection was closed only after it lost the next message, and on a quiet
#: firewall that is the one that matters. Dead peers are found by TCP keepalive instead.
IDLE_TIMEOUT_S = 0.0

#: Longer than any handshake over a bad link, short enough that unfinished ones do not use up the connections.
HANDSHAKE_TIMEOUT_S = 10.0

#: RFC 5425 asks for 8192 bytes, relays send up to 64 KiB; what is longer is cut there and counted.
MAX_MESSAGE_BYTES = 64 * 1024

#: The kernel takes the size as a C int and doubles it.
MAX_RECV_BUFFER_BYTES = 2**30
#: Linux gives one process at most about a million open files (fs.nr_open).
MAX_OPEN = 2**20
#: Each connection may hold one message of this size; a syslog of 16 MiB is no syslog.
MAX_CONFIGURED_MESSAGE_BYTES = 2**24
#: More than any machine receives: no limit is meant, and that is said by leaving the key out.
MAX_RATE = 1e9
#: A day; to wait longer is to wait for ever, which 0 says.
MAX_TIMEOUT_S = 86_400.0

BufferBytes = Annotated[int, Meta(gt=0, le=MAX_RECV_BUFFER_BYTES)]
Connections = Annotated[int, Meta(gt=0, le=MAX_OPEN)]
MessageBytes = Annotated[int, Meta(gt=0, le=MAX_CONFIGURED_MESSAGE_BYTES)]
Rate = Annotated[float, Meta(gt=0, le=MAX_RATE)]
Seconds = Annotated[float, Meta(gt=0, le=MAX_TIMEOUT_S)]
SecondsOrNever = Annotated[float, Meta(ge=0, le=MAX_TIMEOUT_S)]


class Socket(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every receiver has. ``allow`` lists networks that may send; empty: everybody may.

    Above ``max_messages_per_second_per_source`` (per listen address) UDP messages are rejected and counted, and TCP
    senders have to wait. A source in ``trusted_forwarders`` is believed when it says for whom it speaks.
    """

    listen: str | tuple[str, ...]
    allow: tuple[str, ...] = ()
    trusted_forwarders: tuple[str, ...] = ()
    max_messages_per_second_per_source: Rate | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        if "listen" in given:
            yield from listen_faults(given["listen"])
        for key in ("allow", "trusted_forwarders"):
            yield from trying(key, _parse_network, given.get(key, ()))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The listen addresses, also where only one was given."""
        return as_list(self.listen)


def as_list(listen: str | tuple[str, ...]) -> tuple[str, ...]:
    """Addresses to listen on, also where only one was given."""
    return (listen,) if isinstance(listen, str) else listen


def listen_faults(listen: str | tuple[str, ...]) -> Iterator[Fault]:
    """What is wrong with addresses to listen on."""
    if not listen:
        yield "listen", "names no address"
    else:
        yield from trying("listen", parse_listen, as_list(listen))


def _parse_network(text: str) -> object:
    try:
        return parse_networks((text,))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as '10.0.0.0/8': {error}") from None


class SyslogUdp(Socket, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[receivers.syslog_udp]`` (RFC 5426)."""

    listen: str | tuple[str, ...] = ("[::]:5514",)
    recv_buffer_bytes: BufferBytes = RECV_BUFFER_BYTES


class SyslogTcp(Socket, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[receivers.syslog_tcp]`` (RFC 6587). ``idle_timeout`` 0 means never; without ``max_connections_per_source`` it
    is a quarter of ``max_connections``."""

    listen: str | tuple[str, ...] = ("[::]:5514",)
    max_connections: Connections = MAX_CONNECTIONS
    max_connections_per_source: Connections | None = None
    idle_timeout: SecondsOrNever = IDLE_TIMEOUT_S
    max_message_bytes: MessageBytes = MAX_MESSAGE_BYTES


class SyslogTls(SyslogTcp, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[receivers.syslog_tls]`` (RFC 5425). With ``client_ca_file`` only clients with a certificate of it get in, and
    with ``client_fingerprints`` only those of them that are listed."""

    listen: str | tuple[str, ...] = ("[::]:6514",)
    max_connections: Connections = MAX_TLS_CONNECTIONS
    cert_file: str
    key_file: str
    client_ca_file: str | None = None
    client_fingerprints: tuple[str, ...] = ()
    handshake_timeout: Seconds = HANDSHAKE_TIMEOUT_S

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        yield from trying("client_fingerprints", parse_fingerprint, given.get("client_fingerprints", ()))
        if given.get("client_fingerprints") and given.get("client_ca_file", "") is None:
            # Without authorities OpenSSL asks for no certificate, and Python lets nobody judge one it does not trust.
            yield "client_fingerprints", "needs client_ca_file, with the authority or those certificates"


class Snmp(Socket, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The socket part of ``[receivers.snmp]``; `eventd.config` adds communities, users and the engine id."""

    listen: str | tuple[str, ...] = ("[::]:1162",)
    recv_buffer_bytes: BufferBytes = RECV_BUFFER_BYTES
