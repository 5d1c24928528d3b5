"""H3C logs: every layout, every reason, lists of items, what was cut off, what only comes near the wording."""

import itertools
import tomllib
from importlib.resources import files

import h3c_lines as h3c
import pytest
from h3c_lines import HOST, ITEMS, OWN, PEER, decode, line, p1_fail, sa_line
from huawei_lines import event

from eventd.contract import CatalogueRow
from eventd.model import Event
from handlers.h3c.reasons import CATALOGUE, loosely
from handlers.h3c.relayed import BY_SENTENCE, MODULES, mnemonic_of

RAW = tomllib.loads(files("handlers.h3c").joinpath("reasons.toml").read_text("utf-8"))
WORDINGS = {"manual", "transcribed", "recalled", "mib"}

# --- the catalogue --------------------------------------------------------------------------------------------------


def names(row: CatalogueRow) -> list[str]:
    return [row.reason.name or "", *row.aliases, *row.aliases_unverified]


SAID = [(row, name) for row in CATALOGUE.rows for name in names(row)]
#: Where each space is said: the message, with the reason left open.
SENTENCES = {
    "offline": [
        ("ipsec.tunnel.stop", lambda reason: sa_line("TERMINATE", reason=reason)),
        ("ipsec.phase1.down", h3c.p1_down),
    ],
    "negotiation": [
        ("ipsec.negotiation.fail", p1_fail),
        (
            "ipsec.negotiation.fail",
            lambda reason: line(
                "IKE/6/IKE_P2_SA_ESTABLISH_FAIL",
                ITEMS.replace("phase 1", "phase 2").replace("no matching proposal", reason).replace("\n", "#015#012"),
            ),
        ),
    ],
    "condition": [
        (
            "ipsec.security",
            lambda reason: line(
                "IPSEC/6/IPSEC_PACKET_DISCARDED",
                f"IPsec packet discarded, Src IP:{PEER}, Dst IP:{OWN}, SPI:1, SN:1, Cause:{reason}.",
            ),
        )
    ],
}


@pytest.mark.parametrize(("row", "name"), SAID, ids=lambda value: value if isinstance(value, str) else value.space)
def test_every_name_and_alias_is_recognised_from_a_whole_line(row: CatalogueRow, name: str) -> None:
    for told, said in SENTENCES[row.space]:
        for spelled in (name, name.upper(), name.capitalize() + "."):
            decoded = event(said(spelled))
            assert decoded.event == told
            reason = decoded.reason
            assert reason is not None
            assert (reason.name, reason.known, reason.category) == (row.reason.name, True, row.reason.category)
            assert reason.text == spelled.rstrip(".")
            assert "recognised_by" not in decoded.extra


@pytest.mark.parametrize("space", ["offline", "negotiation", "condition"])
def test_every_row_says_how_its_wording_is_known(space: str) -> None:
    for name, row in RAW[space].items():
        assert row["wording"] in WORDINGS, name
        assert all(source in RAW["source"] for source in row["sources"]), name
        assert row["actions"], name


def test_no_two_rows_of_a_space_are_the_same_without_small_words() -> None:
    for space, rows in itertools.groupby(CATALOGUE.rows, key=lambda row: row.space):
        keys = [(loosely(name), row.reason.name) for row in rows for name in names(row)]
        assert len(dict(keys)) == len({key for key, _ in keys}), space
        for key, name in keys:
            assert {other for found, other in keys if found == key} == {name}, (space, key)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("the DPD time-out", "dpd timeout"),
        ("a new IKE SA being negotiated", "new ike sa had been negotiated"),
        ("new P2 SAs had been negotiated", "new p2 sa had been negotiated"),
        ("IKE SA deletion message from the peer was received", "an ike sa deletion message was received from peer"),
        ("authentication failure", "authentication failure"),
    ],
)
def test_other_wording_is_recognised_and_marked(said: str, name: str) -> None:
    decoded = event(sa_line("TERMINATE", reason=said))
    assert decoded.reason is not None
    assert (decoded.reason.name, decoded.reason.text) == (name, said)
    assert decoded.extra["recognised_by"] == "wording"


def test_a_longer_text_that_holds_a_listed_one() -> None:
    decoded = event(p1_fail("Failed to find matching proposal in profile 1"))
    assert decoded.reason is not None
    assert decoded.reason.name == "no matching proposal"
    assert decoded.extra["recognised_by"] == "wording"


@pytest.mark.parametrize("said", ["something else entirely", "the SA", "was", "deleted", "timeout"])
def test_what_is_not_listed_stays_unknown(said: str) -> None:
    decoded = event(sa_line("TERMINATE", reason=said))
    assert decoded.reason is not None
    assert (decoded.reason.known, decoded.reason.category, decoded.reason.text) == (False, "unknown", said)
    assert decoded.severity == "major"


# --- layouts --------------------------------------------------------------------------------------------------------

TEXT = "The IPsec SA was deleted for the reason of SA idle timeout. " + h3c.SA.format(
    src=OWN, dst=PEER, proto="ESP", spi=1001
)
STAMPS = {
    "date": ("Nov 21 04:00:00 2026", "2026-11-21T04:00:00+00:00"),
    "date, one digit": ("Nov  1 04:00:00 2026", "2026-11-01T04:00:00+00:00"),
    "iso": ("2026-11-21T04:00:00", "2026-11-21T04:00:00+00:00"),
    "iso with zone": ("2026-11-21T12:00:00+08:00", "2026-11-21T04:00:00+00:00"),
    "no year": ("Nov 21 04:00:00", "2026-11-21T04:00:00+00:00"),
    "boot": ("0.109391473", None),
    "none": ("", None),
}
TAG = "IPSEC/6/IPSEC_SA_TERMINATE"
LAYOUTS = {
    "h3c": "<190>{stamp} {host} %%10{tag}: {text}",
    "h3c with a blank": "<190>{stamp} {host} %%10 {tag}: {text}",
    "h3c, V5": "<190>{stamp} {host} %%10{tag}(l): {text}",
    "h3c with source": "<190>{stamp} {host} %%10{tag}: -DevIP=192.0.2.9; -MDC=1; -Context=1; -Slot=2; {text}",
    "cmcc": "<190>{stamp} {host} %10{tag}: {text}",
    "cmcc with source": "<190>{stamp} {host} %10{tag}: -DevIP=192.0.2.9 {text}",
    "unicom": "<190>{stamp} {host} 10IPSEC/6/4711: {text}",
    "unicom, wrapped": "<190>{stamp} {host} 10IPSEC/6/4711: log_type=ipsec;content={text}",
}


#: Without % and without a time nothing tells unicom from any other system's line.
WITHOUT_UNICOM = ("boot", "none")
PRINTED = [
    (layout, stamp) for layout in LAYOUTS for stamp in STAMPS if stamp not in WITHOUT_UNICOM or "unicom" not in layout
]


@pytest.mark.parametrize(("layout", "stamp"), PRINTED)
def test_every_layout_with_every_time_stamp(layout: str, stamp: str) -> None:
    printed, when = STAMPS[stamp]
    text = LAYOUTS[layout].format(stamp=printed, host=HOST, tag=TAG, text=TEXT).replace("> ", ">")
    decoded = event(text)
    assert (decoded.event, decoded.vendor, decoded.hostname) == ("ipsec.tunnel.stop", "h3c", HOST)
    assert (decoded.header.module, decoded.header.level) == ("IPSEC", 6)
    assert decoded.header.mnemonic == (None if layout.startswith("unicom") else "IPSEC_SA_TERMINATE")
    assert decoded.extra.get("recognised_by") == ("text" if layout.startswith("unicom") else None)
    assert (decoded.device_time.isoformat() if decoded.device_time else None) == when
    if "DevIP" in LAYOUTS[layout]:
        assert decoded.extra["DevIP"] == "192.0.2.9"
    if layout == "h3c with source":
        assert (decoded.slot, decoded.extra["MDC"], decoded.extra["Context"]) == (2, "1", "1")


@pytest.mark.parametrize("mark", ["%", "*", "^", ""])
def test_console_and_buffer(mark: str) -> None:
    decoded = event(f"{mark}Nov 21 04:00:00:123 2026 {HOST} {TAG}: {TEXT}")
    assert (decoded.event, decoded.hostname) == ("ipsec.tunnel.stop", HOST)
    assert decoded.device_time is not None
    assert decoded.device_time.microsecond == 123_000


@pytest.mark.parametrize("suffix", ["", "(d)"])
def test_debug_lines_make_no_event(suffix: str) -> None:
    decoded = event(f"*Apr 26 12:30:15:952 2010 Master IKE/7/DEBUG{suffix}: got NOTIFY of type INVALID_ID_INFORMATION")
    assert (decoded.event, decoded.reason, decoded.header.mnemonic) == (None, None, "DEBUG")


@pytest.mark.parametrize(
    "relayed",
    [
        "<190>1 2026-11-21T04:00:00Z 2026 {host} - - - %%10{tag}: {text}",
        "<190>1 2026-11-21T04:00:00Z {host} %%10{tag} - - - {text}",
        "<190>1 2026-11-21T04:00:00Z {host} %%10IPSEC - - - {text}",
        "<190>Nov 21 04:00:01 relay Nov 21 04:00:00 2026 {host} %%10{tag}: {text}",
    ],
)
def test_what_relays_make_of_it(relayed: str) -> None:
    decoded = event(relayed.format(host=HOST, tag=TAG, text=TEXT))
    assert (decoded.event, decoded.hostname, decoded.peer) == ("ipsec.tunnel.stop", HOST, PEER)


def test_a_tag_cut_at_32_characters_is_told_by_its_sentence() -> None:
    cut = "%%10IKE/6/IKE_P1_SA_ESTABLISH_FAIL"[:32]
    decoded = event(f"<190>Nov 21 04:00:00 {HOST} {cut} " + p1_fail("malformed payload").partition(": ")[2])
    assert (decoded.event, decoded.header.mnemonic, decoded.peer) == ("ipsec.negotiation.fail", None, PEER)


def test_sentences_are_those_that_are_sent() -> None:
    """Every sentence `eventd send` knows is told without its mnemonic too, if its module may come without one."""
    for group in h3c.registry().syslog_templates_of(["h3c"]).values():
        for template in group:
            if f"10{template.module}" in MODULES:
                filled = template.pattern.format_map({field.field: field.default for field in template.fields})
                assert mnemonic_of(filled.rpartition("; ")[2]) == template.mnemonic, filled
    assert len({mnemonic for _, mnemonic in BY_SENTENCE}) == len(BY_SENTENCE)


# --- items ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", ["\n", "\r\n", "#012", "#015#012", " - ", " ", "; "])
def test_items_whatever_parts_them(separator: str) -> None:
    decoded = event(line("IKE/6/IKE_P1_SA_ESTABLISH_FAIL", ITEMS.replace("\n", separator)))
    assert (decoded.local, decoded.peer, decoded.peer_port, decoded.role) == (OWN, PEER, 4500, "responder")
    assert (decoded.conn_id, decoded.tunnel_index) == (7, 9)
    assert decoded.reason is not None
    assert decoded.reason.name == "no matching proposal"
    assert decoded.extra["Recived retransmissions"] == "3"
    assert decoded.extra["IKE profile name"] == "branch"
    assert "ends" not in decoded.extra


def test_items_in_any_case_and_punctuation() -> None:
    text = ITEMS.replace("Local IP:", "LOCAL-IP :").replace("Remote IP:", "remote ip：")
    decoded = event(line("IKE/6/IKE_P1_SA_ESTABLISH_FAIL", text))
    assert (decoded.local, decoded.peer) == (OWN, PEER)


@pytest.mark.parametrize("behind", range(-30, 30))
def test_a_datagram_cut_at_1024_octets_loses_only_what_is_cut_off(behind: int) -> None:
    """The cut moves over ``Remote IP: 203.0.113.7.``."""
    head = line("IKE/6/IKE_P1_SA_ESTABLISH_FAIL", "")
    whole = head + ITEMS.replace("Local ID: 198.51.100.1.", f"Local ID: {'x' * 2048}.")
    place = whole.index("Remote IP")
    text = whole.replace("x" * 2048, "x" * (2048 - (place - 1024) + behind))
    decoded = event(text[:1024])
    assert decoded.reason is not None
    assert decoded.reason.name == "no matching proposal"
    assert decoded.peer == (PEER if behind <= -len("Remote IP: 203.0.113.7.") else None)


@pytest.mark.parametrize("cut", range(1, 60))
def test_an_address_at_the_end_is_believed_only_if_its_sentence_is_closed(cut: int) -> None:
    text = h3c.ike_line("IKE_P2_SA_TERMINATE", "The IKE phase 2 SA was deleted", "the SA expired", dst="203.0.113.117")
    decoded = decode(text[:-cut])
    if isinstance(decoded, Event):
        assert decoded.peer is None
        assert decoded.local in (OWN, None)


def test_flow_of_a_list() -> None:
    text = "IPsec SA was deleted.\nReason: SA idle timeout\nSA information:\nLocal address: {}\nRemote address: {}"
    flows = (
        "\nSour addr: 10.1.0.0/255.255.0.0 Port: 0 Protocol: IP\nDest addr: 10.2.0.0/255.255.0.0 Port: 0 Protocol: IP"
    )
    decoded = event(line("IPSEC/6/IPSEC_SA_TERMINATE", text.format(OWN, PEER) + flows))
    assert (decoded.local, decoded.peer) == (OWN, PEER)
    assert decoded.flow is not None
    assert decoded.flow.startswith("10.1.0.0/255.255.0.0")
    assert "ends" not in decoded.extra


SESSION = "Sess[10.0.0.1/10.0.0.2, LD/RD:1/2, Interface:GE1/0/1, SessType:Ctrl, LinkType:INET], Ver:1, Sta:"

# --- other families -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "told", "scope"),
    [
        ("reset ike sa", "ipsec.sa.reset", "ike"),
        ("reset ike sa connection-id 7", "ipsec.sa.reset", "ike"),
        (f"reset ipsec sa remote {PEER}", "ipsec.sa.reset", "ipsec"),
        ("reset ipsec sa", "ipsec.sa.reset", "ipsec"),
        ("undo ike profile p1", "device.config", None),
        ("display ike sa", None, None),
        ("dis ip int b", None, None),
        ("quit", None, None),
        ("interface GigabitEthernet1/0/1", "device.config", None),
    ],
)
def test_commands(command: str, told: str | None, scope: str | None) -> None:
    decoded = event(line("SHELL/6/SHELL_CMD", f"-Line=vty0-IPAddr=192.0.2.10-User=admin; Command is {command}"))
    assert (decoded.event, decoded.extra.get("scope")) == (told, scope)
    assert decoded.extra["Command"] == command
    assert decoded.extra["User"] == "admin"
    assert decoded.peer == (PEER if "remote" in command else None)


@pytest.mark.parametrize(
    ("tag", "text", "told", "interface"),
    [
        ("IFNET/3/PHY_UPDOWN", "Physical state on the interface GE1/0/1 changed to down.", "link.down", "GE1/0/1"),
        ("IFNET/5/LINK_UPDOWN", "Line protocol state on the interface GE1/0/1 changed to up.", "link.up", "GE1/0/1"),
        ("IFNET/3/LINK_UPDOWN(l)", "GigabitEthernet1/0/7 link status is UP.", "link.up", "GigabitEthernet1/0/7"),
        (
            "IFNET/5/LINEPROTO_UPDOWN(l)",
            "Line protocol on the interface Vlan-interface1 is DOWN.",
            "link.down",
            "Vlan-interface1",
        ),
        (
            "IFNET/5/PROTOCOL_UPDOWN",
            "Protocol PPP IPCP state on the interface Dialer0 changed to down.",
            "link.down",
            "Dialer0",
        ),
        (
            "BFD/5/BFD_CHANGE_FSM",
            f"{SESSION} INIT->UP, Diag: 0",
            "link.up",
            "GE1/0/1",
        ),
        (
            "BFD/5/BFD_CHANGE_FSM",
            f"{SESSION} DOWN->INIT, Diag: 0",
            None,
            "GE1/0/1",
        ),
    ],
)
def test_links(tag: str, text: str, told: str | None, interface: str) -> None:
    decoded = event(line(tag, text))
    assert (decoded.event, decoded.interface) == (told, interface)
    assert decoded.extra.get("target") == ("10.0.0.2" if tag.startswith("BFD") else None)


def test_a_backup_that_comes_up_is_no_failover() -> None:
    text = "The status of IPv4 virtual router 10 (configured on GE1/0/1) changed from {} to {}: Timer expired."
    assert event(line("VRRP4/6/VRRP_STATUS_CHANGE", text.format("Initialize", "Backup"))).event is None
    decoded = event(line("VRRP4/6/VRRP_STATUS_CHANGE", text.format("Backup", "Master")))
    assert (decoded.event, decoded.extra["state"], decoded.interface) == ("device.failover", "master", "GE1/0/1")


@pytest.mark.parametrize(
    ("printed", "named", "index"), [("GigabitEthernet1/0/1", "GigabitEthernet1/0/1", None), ("7", None, 7)]
)
def test_a_line_is_known_by_its_name_or_by_its_index(printed: str, named: str | None, index: int | None) -> None:
    decoded = decode(line("IFNET/3/PHY_UPDOWN", f"Physical state on the interface {printed} changed to down."))
    assert (decoded.event, decoded.interface, decoded.ifindex) == ("link.down", named, index)


def test_a_late_packet_from_what_is_no_address_has_no_peer() -> None:
    text = "Anti-replay check failed. The SA's source address is 0, destination address is {}, protocol is ESP."
    decoded = decode(line("IPSEC/6/IPSEC_ANTI-REPLAY_WINDOWS_ERROR", text.format(OWN)))
    assert (decoded.event, decoded.peer, decoded.local) == ("ipsec.security", None, OWN)
    assert (decoded.extra["no_address"], decoded.extra["SA source"]) == ("0", "0")
