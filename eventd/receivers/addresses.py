"""Addresses as text: what to listen on, who sent something, and who may."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

#: All interfaces. The IPv6 one also takes IPv4 (dual stack) wherever the machine has IPv6.
ANY_IPV4 = str(IPv4Address(0))
ANY_IPV6 = str(IPv6Address(0))

MAX_PORT = 65_535

#: Sources remembered per receiver; a flood of forged source addresses must not fill the memory (about 10 MB here).
#: At the limit the one known for longest is forgotten, which costs a few microseconds to look it up again.
MAX_SOURCES = 65_536


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of a listen address: ``[::]:5514``, ``0.0.0.0:5514``, ``:5514`` (all interfaces), ``127.0.0.1:0``.

    The host is an IP address; port 0 lets the system choose. Raises `ValueError` saying what is wrong.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > MAX_PORT:
        raise ValueError(f"{text!r} is not ADDRESS:PORT with a port from 0 to {MAX_PORT}, such as '[::]:5514'")
    return _listen_host(host, text), int(port)


def _listen_host(host: str, text: str) -> str:
    if not host:
        return ANY_IPV6
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(f"{text!r}: {host!r} is not an IP address") from None
    if bracketed != (address.version == 6):
        raise ValueError(f"{text!r}: an IPv6 address is written in brackets, an IPv4 address is not")
    return str(address)


def overlap(one: str, other: str) -> bool:
    """Whether two listen addresses of one kind of socket exclude each other. Port 0 never does. Raises `ValueError`."""
    (host, port), (other_host, other_port) = parse_listen(one), parse_listen(other)
    if port != other_port or port == 0:
        return False
    first, second = canonical(host), canonical(other_host)
    both = {first, second}
    return len(both) == 1 or ANY_IPV6 in both or (ANY_IPV4 in both and ":" not in first + second)


def join_host_port(host: str, port: int) -> str:
    """``192.0.2.1:514`` or ``[2001:db8::1]:514``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def canonical(host: str) -> str:
    """One spelling per source address: IPv4-mapped IPv6 as plain IPv4, compressed IPv6, without a scope id.

    The scope id names an interface of this machine, not the sender, so it is no part of who sent something.
    """
    address = ip_address(host.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def parse_networks(allow: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks of an allow list; a bare address stands for itself. Raises `ValueError` for the first that is none."""
    return tuple(ip_network(text, strict=False) for text in allow)


class Sources:
    """Canonical text of source addresses, and whether they may send (in one of ``networks``, if there are any); each
    worked out once and remembered."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.networks = parse_networks(allow)
        self._known: dict[str, tuple[str, bool]] = {}

    def look_up(self, host: str) -> tuple[str, bool]:
        """Canonical address of ``host`` as a socket gives it, and whether the allow list has it (empty: everybody)."""
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= MAX_SOURCES:
                del self._known[next(iter(self._known))]
            address = canonical(host)
            known = self._known[host] = address, self._allows(address)
        return known

    def _allows(self, address: str) -> bool:
        ip = ip_address(address)
        return not self.networks or any(ip in network for network in self.networks)
