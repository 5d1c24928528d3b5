"""Which socket of a port gets a datagram, decided in the kernel by who sent it.

All sockets of one port form a group (SO_REUSEPORT). A classic BPF program given to the group reads the source address
in the IP header and returns the number of a socket (socket(7), SO_ATTACH_REUSEPORT_CBPF; Linux
Documentation/networking/filter.rst). So a source that floods fills the receive buffer of its own socket and no other's.
"""

import socket
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

SO_ATTACH_REUSEPORT_CBPF = 51

#: Networks of an allow list that are looked at in the kernel; a longer list is only looked at here. The kernel takes
#: 4096 instructions (BPF_MAXINSNS), and a network of IPv6 needs at most 13.
MAX_NETWORKS = 128

_INSTRUCTION = struct.Struct("@HBBI")  # code, jump if true, jump if false, operand (linux/filter.h)
_PROGRAM = struct.Struct("@HP")  # number of instructions, where they are

#: Offsets from here count from the IP header (SKF_NET_OFF), however much of it was taken off already.
_IP_HEADER = 0xFFF0_0000
_LOAD_WORD, _LOAD_BYTE, _AND, _SHIFT_RIGHT, _JUMP_EQUAL, _JUMP, _RETURN = 0x20, 0x30, 0x54, 0x74, 0x15, 0x05, 0x06
#: Where the source address stands in the header (RFC 791 section 3.1, RFC 8200 section 3).
_SOURCE_AT = {4: 12, 6: 8}
_WORD_BITS = 32

Instruction = tuple[int, int, int, int]


def program(owners: Mapping[str, int], allow: Sequence[Network] = (), strangers: int = 0) -> list[Instruction]:
    """Instructions that return the socket of the source's entry in ``owners`` (address to number).

    Everybody else gets socket 0; with an ``allow`` list only who is on it, and the rest socket ``strangers``.
    """
    entries: list[tuple[Network, int]] = [(_host(address), lane) for address, lane in owners.items()]
    if len(allow) > MAX_NETWORKS:
        allow = ()
    entries += [(network, 0) for network in allow]
    rest = strangers if allow else 0
    version4, version6 = (
        [step for network, lane in entries if network.version == version for step in _match(network, lane)]
        for version in (4, 6)
    )
    version4.append((_RETURN, 0, 0, rest))
    version6.append((_RETURN, 0, 0, rest))
    return [
        (_LOAD_BYTE, 0, 0, _IP_HEADER),
        (_SHIFT_RIGHT, 0, 0, 4),
        (_JUMP_EQUAL, 1, 0, 4),
        (_JUMP, 0, 0, len(version4)),  # conditional jumps reach 255 instructions only
        *version4,
        *version6,
    ]


def _host(address: str) -> Network:
    ip = ip_address(address)
    return IPv4Network(ip) if ip.version == 4 else IPv6Network(ip)


def _match(network: Network, lane: int) -> Iterable[Instruction]:
    """Return ``lane`` if the source is in ``network``; else fall through."""
    words = range(0, max(network.prefixlen, 1), _WORD_BITS)
    address, mask = (int(part) for part in (network.network_address, network.netmask))
    steps: list[Instruction] = []
    for offset in reversed(words):  # built from the end, so that each knows how far it is to what follows
        shift = network.max_prefixlen - _WORD_BITS - offset
        wanted, bits = address >> shift & 0xFFFF_FFFF, mask >> shift & 0xFFFF_FFFF
        after = len(steps) + 1  # the steps of later words, and the return
        test: list[Instruction] = [
            (_LOAD_WORD, 0, 0, _IP_HEADER + _SOURCE_AT[network.version] + offset // 8),
            (_AND, 0, 0, bits),
            (_JUMP_EQUAL, 0, after, wanted),
        ]
        steps = test + steps
    return [*steps, (_RETURN, 0, 0, lane)]


def attach(sock: socket.socket, instructions: Sequence[Instruction]) -> None:
    """Have the group of ``sock`` steered by ``instructions`` from the next datagram on. `OSError` where the kernel
    does not do it."""
    code = array("B", b"".join(_INSTRUCTION.pack(*step) for step in instructions))
    sock.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, _PROGRAM.pack(len(instructions), code.buffer_info()[0])
    )


def share(sock: socket.socket) -> None:
    """Let further sockets of this user join the port of ``sock``.

    Said after it was bound: so the port was free of others when it was taken, and a second eventd, whose first socket
    does not ask to share, is told that it is in use.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def join(sock: socket.socket) -> socket.socket:
    """Another non-blocking socket on the port of ``sock``; its number is how many there were. Raises `OSError`."""
    other = socket.socket(sock.family, sock.type)
    try:
        if sock.family == socket.AF_INET6:
            only = sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        share(other)
        other.setblocking(False)
        other.bind(sock.getsockname())
    except OSError:
        other.close()
        raise
    return other
