"""Builds packets and capture files by hand, octet by octet as the RFCs draw them."""

import ipaddress
import struct


def udp(payload: bytes, source_port: int = 40000, target_port: int = 514) -> bytes:
    return struct.pack("!HHHH", source_port, target_port, 8 + len(payload), 0) + payload


def tcp(payload: bytes, sequence: int, flags: int = 0x18, source_port: int = 40000, target_port: int = 514) -> bytes:
    head = struct.pack("!HHIIBBHHH", source_port, target_port, sequence % 2**32, 1, 0x80, flags, 65535, 0, 0)
    return head + b"\x01" * 12 + payload  # 12 octets of options: no operation


def ipv4(segment: bytes, source: str = "192.0.2.1", target: str = "192.0.2.9", proto: int = 17, frag: int = 0) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, frag, 64, proto, 0)
    return head + ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed + segment


def ipv6(
    segment: bytes, source: str = "2001:db8::1", target: str = "2001:db8::9", proto: int = 17, extensions: bytes = b""
) -> bytes:
    head = struct.pack("!IHBB", 0x60000000, len(extensions) + len(segment), proto, 64)
    return head + ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed + extensions + segment


def ethernet(packet: bytes, tags: int = 0) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return b"\x02" * 12 + b"\x81\x00\x00\x07" * tags + struct.pack("!H", kind) + packet


def pcap(
    frames: list[tuple[float, bytes]], link: int = 1, order: str = "<", nano: bool = False, cut: int | None = None
) -> bytes:
    """A libpcap file; ``cut`` is the snap length."""
    ticks, magic = (10**9, 0xA1B23C4D) if nano else (10**6, 0xA1B2C3D4)
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)
    for at, data in frames:
        kept = data[:cut]
        fraction = round((at - int(at)) * ticks)
        out += struct.pack(order + "IIII", int(at), fraction, len(kept), len(data)) + kept
    return out


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(frames: list[tuple[float, bytes]], link: int = 1, order: str = "<", resolution: int = 6) -> bytes:
    """A pcapng file with one section, one interface, a block of no known kind and a packet block per frame."""
    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    option = struct.pack(order + "HHBxxx", 9, 1, resolution) + struct.pack(order + "HH", 0, 0)
    out += block(1, struct.pack(order + "HHI", link, 0, 0) + option, order)
    out += block(0xBAD, b"whatever", order)
    for at, data in frames:
        ticks = round(at * 10**resolution)
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        out += block(6, head + data, order)
    return out
