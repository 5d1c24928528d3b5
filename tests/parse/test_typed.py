"""Keys, passwords and communities in commands that devices log as typed are hidden, and nothing else is."""

import time

import pytest
from huawei_lines import registry
from hypothesis import given
from hypothesis import strategies as st

from eventd.decode import Decoder
from eventd.inventory import Inventory
from eventd.model import Malformed, Message
from eventd.parse.snmp import Access
from eventd.parse.typed import HIDDEN, concealed, without_secrets

DECODER = Decoder(registry(), Inventory(), Access([]))
SECRETS = [
    "pre-shared-key {}",
    "pre-shared-key simple {}",
    "pre cipher {}",
    "pre-shared-key address 198.51.100.1 255.255.255.0 key simple {}",
    "pre-shared-key address ipv6 2001:db8::1 key cipher {}",
    "local-user admin password irreversible-cipher {}",
    "local-user admin password cipher {} access-limit 3",
    "set authentication password cipher {}",
    "snmp-agent community read cipher {} acl 2000",
    "snmp-agent community write {}",
    "snmp-agent target-host trap address udp-domain 192.0.2.1 params securityname {} v2c",
    "snmp-agent usm-user v3 ann authentication-mode sha {0} privacy-mode aes128 {0}",
    "snmp-agent usm-user v3 ann ops simple authentication-mode sha {0} privacy-mode aes128 {0}",
    "ospf authentication-mode md5 1 cipher {}",
    "vrrp vrid 1 authentication-mode md5 {}",
    "peer 203.0.113.7 password simple {}",
    "sa string-key inbound esp cipher {}",
    "sa encryption-hex outbound esp {}",
    "key authentication simple {}",
    "radius-server shared-key cipher {}",
    "hrp authentication-key {}",
    "put ftp://ann:{}@192.0.2.9/backup.cfg",
]
#: (before the command, after it) in messages of both vendors.
NAMED = "Recorded command information. (Task=vt0, User=admin, Command="
FRAMES = [
    (f'<189>Nov 21 2026 04:00:00 FW1 %%01SHELL/5/CMDRECORD(l)[2]:{NAMED}"', '")'),
    (f'<189>Nov 21 2026 04:00:00 FW1 SHELL/5/CMDRECORD:{NAMED}"', '", Result="Success")'),
    ("<189>Nov 21 04:00:00 2026 FW1 %%10SHELL/6/SHELL_CMD: -Line=vty0-User=ann; Command is ", ""),
]
words = st.text(st.characters(codec="ascii", exclude_categories=("C", "Z"), exclude_characters="\"',()="), min_size=6)


@given(typed=st.sampled_from(SECRETS), secret=words.map(lambda word: "c4nary" + word.replace("@", "").replace("/", "")))
def test_no_secret_is_left_of_a_command(typed: str, secret: str) -> None:
    shown = without_secrets(typed.format(secret))
    assert "c4nary" not in shown
    assert HIDDEN in shown
    assert shown.split()[0] == typed.split()[0]


@pytest.mark.parametrize(
    "typed",
    [
        "undo ipsec policy map1 10",
        "undo pre-shared-key",
        "reset ike sa remote 203.0.113.7",
        "authentication-method pre-share",
        "authentication-mode aaa",
        "rsa local-key-pair create",
        "interface GigabitEthernet0/0/1",
        "",
    ],
)
def test_what_holds_no_secret_stays(typed: str) -> None:
    assert without_secrets(typed) == typed


@pytest.mark.parametrize(("before", "after"), FRAMES)
@pytest.mark.parametrize("typed", SECRETS)
def test_an_event_of_a_typed_command_holds_none(before: str, after: str, typed: str) -> None:
    line = before + typed.format("c4nary-1.2") + after
    event = DECODER.decode(Message("syslog-udp", "192.0.2.1", 514, 1.8e9, line.encode()))
    assert not isinstance(event, Malformed)
    assert event.event == "device.config"
    assert "c4nary" not in event.raw + str(event.extra)
    assert event.extra["Command"].split()[0] == typed.split()[0]
    assert event.raw.startswith(before)
    assert event.raw.endswith(after)


@pytest.mark.parametrize(("before", "after"), FRAMES)
def test_a_message_that_was_cut_off_holds_none(before: str, after: str) -> None:
    whole = before + "pre-shared-key simple c4nary" + after
    for length in range(len(before) + len("pre-shared-key simple c4"), len(whole)):
        message = Message("syslog-udp", "192.0.2.1", 514, 1.8e9, whole[:length].encode())
        event = DECODER.decode(message)
        assert "c4" not in event.raw.removeprefix(before)
        assert isinstance(event, Malformed) or "c4" not in str(event.extra)


@given(st.text())
def test_other_messages_stay_as_they_are(text: str) -> None:
    assert concealed(f"IPSec tunnel is down. (DstIP={text!r})") == f"IPSec tunnel is down. (DstIP={text!r})"
    assert without_secrets(without_secrets(text)) == without_secrets(text)


def test_a_hostile_command_costs_little() -> None:
    for piece in (" ", "a,b=c", "://a:", '"),', "key "):
        begun = time.process_time()
        concealed("Command=" + piece * (8192 // len(piece)))
        assert time.process_time() - begun < 0.25, piece
