"""Captures: every file format and link layer gives the datagrams, and what gives none is counted."""

import contextlib
import io
import socket
import struct

import packets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventd.errors import ParseError, RejectReason
from eventd.parse.packets import Datagram, Segment, Skip
from eventd.parse.pcap import MAX_PACKET, Capture

PAYLOAD = b"<188>Nov 21 2026 10:00:00 FW1 IPSEC/4/IPSECTUNNELSTOP:text"
AT = 1_790_000_000.123456
V4 = packets.ipv4(packets.udp(PAYLOAD))
V6 = packets.ipv6(packets.udp(PAYLOAD))
EXPECTED4 = Datagram(AT, "192.0.2.1", 40000, "192.0.2.9", 514, PAYLOAD)
EXPECTED6 = Datagram(AT, "2001:db8::1", 40000, "2001:db8::9", 514, PAYLOAD)


def read(data: bytes) -> tuple[list[Datagram | Segment], dict[str, int]]:
    capture = Capture(io.BytesIO(data).read)
    return list(capture), dict(capture.skipped)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_both_byte_orders_and_resolutions_of_libpcap(order: str, nano: bool) -> None:
    frames = [(AT, packets.ethernet(V4)), (AT, packets.ethernet(V6))]
    assert read(packets.pcap(frames, order=order, nano=nano)) == ([EXPECTED4, EXPECTED6], {})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("resolution", [3, 6, 9])
def test_both_byte_orders_and_any_resolution_of_pcapng(order: str, resolution: int) -> None:
    found, skipped = read(packets.pcapng([(AT, packets.ethernet(V4))], order=order, resolution=resolution))
    assert skipped == {}
    assert [datagram.payload for datagram in found] == [PAYLOAD]
    assert found[0].at == round(AT, min(resolution, 6))


def test_pcapng_sections_with_different_byte_orders_may_follow_each_other() -> None:
    frames = [(AT, packets.ethernet(V4))]
    data = packets.pcapng(frames) + packets.pcapng(frames, order=">")
    assert read(data) == ([EXPECTED4, EXPECTED4], {})


def test_a_simple_packet_block_has_no_time() -> None:
    frame = packets.ethernet(V4)
    data = packets.pcapng([]) + packets.block(3, struct.pack("<I", len(frame)) + frame)
    assert [datagram.at for datagram in read(data)[0]] == [0.0]


def test_pcapng_time_offset_and_binary_resolution_are_honoured() -> None:
    frame = packets.ethernet(V4)
    options = struct.pack("<HHBxxx", 9, 1, 0x80 | 10) + struct.pack("<HHq", 14, 8, 1_000_000)
    data = packets.block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += packets.block(1, struct.pack("<HHI", 1, 0, 0) + options)
    data += packets.block(6, struct.pack("<IIIII", 0, 0, 512, len(frame), len(frame)) + frame)
    assert [datagram.at for datagram in read(data)[0]] == [1_000_000.5]


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (0, struct.pack("=I", socket.AF_INET)),
        (12, b""),
        (14, b""),
        (101, b""),
        (108, struct.pack("!I", socket.AF_INET)),
        (113, struct.pack("!HHH8sH", 0, 1, 6, b"\2" * 8, 0x0800)),
        (228, b""),
        (276, struct.pack("!HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, b"\2" * 8)),
        (113, struct.pack("!HHH8sHHH", 0, 1, 6, b"\2" * 8, 0x8100, 7, 0x0800)),
    ],
)
def test_every_link_layer(link: int, head: bytes) -> None:
    assert read(packets.pcap([(AT, head + V4)], link=link)) == ([EXPECTED4], {})


@pytest.mark.parametrize("ip", [packets.ipv4, packets.ipv6])
def test_tcp_segments_come_with_their_place_in_the_stream(ip) -> None:
    frame = packets.ethernet(ip(packets.tcp(b"<1>x", 2**32 - 1, 0x18), proto=6)) + b"\0" * 6
    [found], skipped = read(packets.pcap([(AT, frame)]))
    assert isinstance(found, Segment)
    assert (found.payload, found.sequence, found.flags, found.target_port) == (b"<1>x", 2**32 - 1, 0x18, 514)
    assert skipped == {}


@pytest.mark.parametrize("tags", [1, 2])
def test_vlan_tags_are_looked_through(tags: int) -> None:
    frames = [(AT, packets.ethernet(V4, tags)), (AT, packets.ethernet(V6, tags))]
    assert read(packets.pcap(frames)) == ([EXPECTED4, EXPECTED6], {})


@pytest.mark.parametrize(
    ("first", "extensions"),
    [
        (0, bytes([17, 0]) + b"\0" * 6),
        (60, bytes([43, 1]) + b"\0" * 14 + bytes([17, 0]) + b"\0" * 6),
        (51, bytes([17, 4]) + b"\0" * 22),
        (44, bytes([17, 0, 0, 0]) + b"\0" * 4),
    ],
)
def test_ipv6_extension_headers_are_looked_through(first: int, extensions: bytes) -> None:
    packet = packets.ipv6(packets.udp(PAYLOAD), proto=first, extensions=extensions)
    assert read(packets.pcap([(AT, packet)], link=101)) == ([EXPECTED6], {})


def test_ethernet_padding_is_no_part_of_the_message() -> None:
    short = packets.ethernet(packets.ipv4(packets.udp(b"x"))) + b"\0" * 30
    assert [datagram.payload for datagram in read(packets.pcap([(AT, short)]))[0]] == [b"x"]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (packets.ethernet(packets.ipv4(b"\0" * 20, proto=6)), Skip.DAMAGED),
        (packets.ethernet(packets.ipv4(packets.tcp(b"", 1)[:30], proto=6)), Skip.CUT),
        (packets.ethernet(packets.ipv4(b"\0" * 20, proto=1)), Skip.NO_UDP),
        (packets.ethernet(packets.ipv4(packets.udp(b"x"), frag=0x2000)), Skip.FRAGMENT),
        (packets.ethernet(packets.ipv4(packets.udp(b"x"), frag=5)), Skip.FRAGMENT),
        (
            packets.ethernet(packets.ipv6(packets.udp(b"x"), proto=44, extensions=bytes([17, 0, 0, 1]) + b"\0" * 4)),
            Skip.FRAGMENT,
        ),
        (b"\2" * 12 + b"\x08\x06" + b"\0" * 28, Skip.NO_IP),
        (packets.ethernet(b"\x45"), Skip.CUT),
        (packets.ethernet(b"\x41" + V4[1:]), Skip.DAMAGED),
        (packets.ethernet(packets.ipv4(struct.pack("!HHHH", 1, 2, 7, 0))), Skip.DAMAGED),
        (b"", Skip.CUT),
    ],
)
def test_what_gives_no_message_is_counted_by_reason(frame: bytes, reason: Skip) -> None:
    data = packets.pcap([(AT, frame), (AT, packets.ethernet(V4))])
    assert read(data) == ([EXPECTED4], {reason: 1})


def test_a_packet_cut_by_the_snap_length_is_skipped_rather_than_decoded_wrong() -> None:
    assert read(packets.pcap([(AT, packets.ethernet(V4))], cut=60)) == ([], {Skip.CUT: 1})


def test_an_unknown_link_layer_is_counted() -> None:
    assert read(packets.pcap([(AT, b"\0" * 60)], link=147)) == ([], {Skip.LINK: 1})


@pytest.mark.parametrize("build", [packets.pcap, packets.pcapng])
def test_a_file_that_ends_inside_a_packet_gives_what_came_before(build) -> None:
    data = build([(AT, packets.ethernet(V4)), (AT, packets.ethernet(V4))])
    assert read(data[:-20]) == ([EXPECTED4], {Skip.END: 1})


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"# text\n"])
def test_what_is_no_capture_is_refused(data: bytes) -> None:
    with pytest.raises(ParseError) as caught:
        read(data)
    assert caught.value.reason is RejectReason.BAD_FRAME


def test_impossible_lengths_are_refused_before_they_are_read() -> None:
    huge = packets.pcap([]) + struct.pack("<IIII", 1, 1, MAX_PACKET + 1, MAX_PACKET + 1)
    block = packets.pcapng([]) + struct.pack("<II", 6, 0xFFFFFFF0)
    for data in (huge, block):
        with pytest.raises(ParseError):
            read(data)


@given(st.binary(max_size=400), st.sampled_from([packets.pcap([]), packets.pcapng([])]), st.integers(0, 60))
def test_no_bytes_raise_anything_but_the_documented_error(noise: bytes, head: bytes, kept: int) -> None:
    with contextlib.suppress(ParseError):
        read(head[:kept] + noise)


@given(st.binary(max_size=120), st.sampled_from([0, 1, 101, 113, 276]))
def test_no_frame_raises_anything(noise: bytes, link: int) -> None:
    found, skipped = read(packets.pcap([(AT, noise)], link=link))
    assert len(found) + sum(skipped.values()) == 1
