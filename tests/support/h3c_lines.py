"""Whole H3C messages for tests; the way from bytes to event is `huawei_lines.decode`."""

from huawei_lines import RECEIVED_AT, decode, registry, trap

from eventd.decode import Decoder
from eventd.inventory import Device, Inventory
from eventd.inventory import Peer as InventoryPeer
from eventd.model import Event, Message
from eventd.parse.snmp import Access

__all__ = ("TREES", "decode", "registry", "trap")

registry()  # loading takes longer than a property may
OWN, PEER = "198.51.100.1", "203.0.113.7"
HOST = "FW-H3C"
#: Prefix of the names → root of the tree.
TREES = {"hh3c": "1.3.6.1.4.1.25506.2", "h3c": "1.3.6.1.4.1.2011.10.2", "hpnicf": "1.3.6.1.4.1.11.2.14.11.15.2"}

SA = "The SA's source address is {src}, destination address is {dst}, protocol is {proto}, and SPI is {spi}."
ENDS = "The SA's source address is {src}, and its destination address is {dst}."


def line(tag: str, text: str, pri: int = 190, stamp: str = "Nov 21 04:00:00 2026", source: str = "") -> str:
    """As a device sends it to a log host: ``tag`` is ``MODULE/level/MNEMONIC``."""
    return f"<{pri}>{stamp} {HOST} %%10{tag}: {source}{text}"


def sa_line(
    what: str, src: str = OWN, dst: str = PEER, proto: str = "ESP", spi: int = 1001, reason: str = "", second: int = 0
) -> str:
    """IPSEC_SA_ESTABLISH or IPSEC_SA_TERMINATE."""
    said = f"The IPsec SA was deleted for the reason of {reason}." if reason else "Established IPsec SA."
    text = f"{said} {SA.format(src=src, dst=dst, proto=proto, spi=spi)}"
    return line(f"IPSEC/6/IPSEC_SA_{what}", text, stamp=f"Nov 21 04:00:{second:02} 2026")


def ike_line(mnemonic: str, said: str, reason: str, src: str = OWN, dst: str = PEER, second: int = 0) -> str:
    text = f"{said} for the reason of {reason}. {ENDS.format(src=src, dst=dst)}"
    return line(f"IKE/6/{mnemonic}", text, stamp=f"Nov 21 04:00:{second:02} 2026")


def p1_down(reason: str, **given: str | int) -> str:
    return ike_line("IKE_P1_SA_TERMINATE", "The IKE phase 1 SA was deleted", reason, **given)  # type: ignore[arg-type]


def p1_fail(reason: str, **given: str | int) -> str:
    return ike_line("IKE_P1_SA_ESTABLISH_FAIL", "Failed to establish phase 1 SA", reason, **given)  # type: ignore[arg-type]


class Wire:
    """A decoder that remembers, as the service has one."""

    def __init__(self, devices: tuple[Device, ...] = (), peers: tuple[InventoryPeer, ...] = ()) -> None:
        self.decoder = Decoder(
            registry(), Inventory(devices, peers), Access(["public"], checks="offline"), learned_ends={}
        )

    def event(self, text: str | bytes, source: str = "192.0.2.1", transport: str = "", after: float = 0.0) -> Event:
        raw = text.encode() if isinstance(text, str) else text
        way = transport or ("syslog-udp" if isinstance(text, str) else "snmp-v2c")
        decoded = self.decoder.decode(Message(way, source, 514, RECEIVED_AT + after, raw))
        assert isinstance(decoded, Event), decoded
        return decoded


#: One item a line, as late releases of Comware V7 print it; names as in a table somebody built for such logs.
ITEMS = """\
Failed to establish phase 1 SA in main mode IKE_P1_STATE_SEND1 state.
Reason: no matching proposal.
SA information:
Role: Responder.
Local IP: 198.51.100.1.
Local ID type: IPV4_ADDR.
Local ID: 198.51.100.1.
Local port: 500.
Retransmissions: 0.
Remote IP: 203.0.113.7.
Remote ID type: IPV4_ADDR.
Remote ID: 203.0.113.7.
Remote port: 4500.
Recived retransmissions: 3.
Inside VPN instance: vpn1.
Outside VPN instance: vpn2.
Initiator cookie: 18d7ee5fbb8e3f4d.
Responder cookie: 54b0c1b84a3cd2a7.
Connection ID: 7.
Tunnel ID: 9.
IKE profile name: branch."""
