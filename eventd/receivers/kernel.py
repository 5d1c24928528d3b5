"""What Linux does for a receiver: binding, receive buffers, drop counters, and the address a datagram came to.

Python's `socket` names only part of these options; the numbers are those of include/uapi/asm-generic/socket.h,
linux/in.h and linux/sock_diag.h.
"""

import contextlib
import errno
import os
import socket
import struct
from array import array
from collections.abc import Iterable
from ipaddress import IPv6Address
from pathlib import Path

from eventd.errors import EventdError
from eventd.receivers.addresses import ANY_IPV4, ANY_IPV6, parse_listen

SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
IP_PKTINFO = 8

#: SO_MEMINFO answers nine native u32; the ninth (SK_MEMINFO_DROPS) counts datagrams dropped on this socket, for
#: want of buffer or of memory alike. /proc/net/snmp splits these two and many monitors see only the first.
_MEMINFO = struct.Struct("=9I")
_DROPS = 8

_FILTER = struct.Struct("@HBBI")  # one instruction: code, two jump offsets, operand (linux/filter.h)
_PROGRAM = struct.Struct("@HP")  # number of instructions, where they are
_BPF_RET = 0x06

_PKTINFO4 = struct.Struct("=i4s4s")  # interface index, local address of the packet, its destination address
_PKTINFO6 = struct.Struct("=16si")  # destination address, interface index

#: Room for either packet-info message.
PKTINFO_SPACE = socket.CMSG_SPACE(_PKTINFO6.size)

PROC_SNMP, PROC_SNMP6 = "/proc/net/snmp", "/proc/net/snmp6"
HOST_UDP_ERRORS = ("InErrors", "RcvbufErrors", "MemErrors")

#: What a machine without IPv6 answers to opening or binding an IPv6 socket.
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)

#: A dead peer gives its connection back within ten minutes (Linux's own default is two hours and more).
KEEPALIVE_IDLE_S = 300
KEEPALIVE_INTERVAL_S = 60
KEEPALIVE_PROBES = 5

#: Connections waiting for accept; a reboot of a relay brings all its senders back at once.
BACKLOG = 512

_CAUSES = {
    errno.EADDRINUSE: "the port is in use by another program",
    errno.EACCES: "permission denied: ports below 1024 need CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine has no IPv6",
}

Ancillary = list[tuple[int, int, bytes]]


class ListenError(EventdError):
    """A listen address cannot be had: ``listen`` is the address, the message says why."""

    def __init__(self, listen: str, error: OSError) -> None:
        cause = _CAUSES.get(error.errno or 0) or os.strerror(error.errno or 0)
        super().__init__(f"cannot listen on {listen}: {cause}")
        self.listen, self.errno = listen, error.errno


def bind(listen: str, kind: socket.SocketKind) -> socket.socket:
    """A bound, non-blocking socket for ``listen`` (see `parse_listen`; its ValueError passes through). TCP listens.

    ``[::]`` takes IPv4 and IPv6, and only IPv4 where the machine has no IPv6. Raises `ListenError`.
    """
    host, port = parse_listen(listen)
    try:
        try:
            return _bound(host, port, kind)
        except OSError as error:
            if host != ANY_IPV6 or error.errno not in _NO_IPV6:
                raise
        return _bound(ANY_IPV4, port, kind)
    except OSError as error:
        raise ListenError(listen, error) from error


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=numeric)[0]
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != ANY_IPV6)
        if kind == socket.SOCK_STREAM:
            # Restart at once although old connections linger in TIME_WAIT. Never for UDP: there the same option
            # lets a second program take over the port unseen.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _keep_alive(sock)
        sock.setblocking(False)
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _keep_alive(listener: socket.socket) -> None:
    """Have connections accepted from ``listener`` notice that their peer is gone (tcp(7); inherited on accept)."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S),
        (socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S),
        (socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
    ):
        listener.setsockopt(socket.IPPROTO_TCP, option, value)


def set_receive_buffer(sock: socket.socket, size: int) -> int:
    """Ask for a receive buffer of ``size`` bytes and return what was granted, in the same measure.

    With CAP_NET_ADMIN the limit net.core.rmem_max does not hold. Linux doubles the value for its own bookkeeping
    (socket(7)); that factor is taken out, so that granted == asked means granted.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def dropped(sock: socket.socket) -> int:
    """Datagrams the kernel dropped on this socket so far; 0 where the kernel does not tell (Linux before 4.12)."""
    with contextlib.suppress(OSError):
        answer = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
        if len(answer) == _MEMINFO.size:
            return int(_MEMINFO.unpack(answer)[_DROPS])
    return 0


def host_udp_errors() -> dict[tuple[str, ...], float]:
    """What all UDP sockets of this machine lost, ours included, by IP version and counter of the kernel (proc(5),
    /proc/net/snmp and snmp6; Linux Documentation/networking/snmp_counter.rst); empty where the kernel does not tell.

    ``InErrors`` includes the other two: no room in a receive buffer, no memory for UDP as a whole.
    """
    found: dict[tuple[str, ...], float] = {}
    with contextlib.suppress(OSError, ValueError):
        names, values = (line.split()[1:] for line in Path(PROC_SNMP).read_text().splitlines() if line[:4] == "Udp:")
        counters = dict(zip(names, values, strict=True))
        found |= {("4", name): float(counters[name]) for name in HOST_UDP_ERRORS if name in counters}
    with contextlib.suppress(OSError, ValueError):
        counters = dict(line.split() for line in Path(PROC_SNMP6).read_text().splitlines())
        found |= {("6", name): float(counters[f"Udp6{name}"]) for name in HOST_UDP_ERRORS if f"Udp6{name}" in counters}
    return found


def refuse_more(sock: socket.socket) -> None:
    """Have the kernel drop whatever arrives from now on, and count it in `dropped`; what is queued can still be read.

    A socket filter that returns 0 for every packet (Linux Documentation/networking/filter.rst): between the last read
    and the close nothing is then lost without a number.
    """
    program = array("B", _FILTER.pack(_BPF_RET, 0, 0, 0))
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, _PROGRAM.pack(1, program.buffer_info()[0]))


def ask_destination(sock: socket.socket) -> None:
    """Have `recvmsg` tell the address each datagram came to, so that an answer can leave from it (ip(7), ipv6(7))."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def answer_from(received: Iterable[tuple[int, int, bytes]]) -> Ancillary:
    """Ancillary data for `sendmsg` that sends from the address a datagram came to; empty where that cannot be used.

    The interface is left to routing, except for link-local addresses, which mean nothing without one.
    """
    for level, kind, data in received:
        if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
            _, local, _ = _PKTINFO4.unpack(data)
            return [(level, kind, _PKTINFO4.pack(0, local, bytes(4)))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            local, interface = _PKTINFO6.unpack(data)
            address = IPv6Address(local)
            scope = interface if address.is_link_local else 0
            return [] if address.is_multicast else [(level, kind, _PKTINFO6.pack(local, scope))]
    return []
