"""Templates are found by any of their names and take values by any of theirs."""

import fakehandlers
import pytest

from eventd.contract import SyslogTemplate
from eventd.sender.templates import SendError, accepted, choose, complete, fill

TEMPLATES = fakehandlers.load().syslog_templates
ROWS = fakehandlers.CATALOGUE.rows


def second(mnemonic: str) -> SyslogTemplate:
    return SyslogTemplate(
        event="ipsec.tunnel.stop",
        module="IPSEC-VPN",
        level=5,
        mnemonic=mnemonic,
        text="An IPSec tunnel is teared down.",
        fields=(),
    )


def test_an_event_with_several_templates_gives_the_one_that_says_most_unless_one_is_named() -> None:
    other = second("IPSEC_TUNNEL_TEARED_DOWN")
    templates = {"ipsec.tunnel.stop": [other, fakehandlers.STOP_SYSLOG]}
    assert choose(templates, "IPSec.Tunnel.Stop") is fakehandlers.STOP_SYSLOG
    assert choose(templates, "ipsec_tunnel_teared_down") is other


def test_the_fields_given_decide_between_templates() -> None:
    templates = {"x": [fakehandlers.STOP_SYSLOG, fakehandlers.FAIL_SYSLOG]}
    assert choose(templates, "x", ["peer", "ReasonCode"]) is fakehandlers.FAIL_SYSLOG
    assert choose(templates, "x", ["peer", "local"]) is fakehandlers.STOP_SYSLOG


def test_an_unknown_event_is_answered_with_what_exists() -> None:
    with pytest.raises(SendError, match=r"did you mean IPSECNEGOFAIL.*known: ipsec\.negotiation\.fail, ipsec\.tunnel"):
        choose(TEMPLATES, "IPSECNEGOFAILED")


def test_fields_are_accepted_by_both_names_in_any_case() -> None:
    assert accepted(fakehandlers.STOP_SYSLOG)["dstip"] == "peer"
    assert fill(fakehandlers.STOP_SYSLOG, {"DSTIP": "a", "Reason": "b"}) == {"peer": "a", "reason": "b"}
    assert fill(fakehandlers.STOP_TRAP, {"PEER": "a"}) == {"peer": "a"}


def test_all_wrong_names_are_told_at_once() -> None:
    with pytest.raises(SendError) as caught:
        fill(fakehandlers.STOP_SYSLOG, {"one": "1", "two": "2", "peer": "x", "dstip": "y"})
    for said in ("'one'", "'two'", "dstip was given under two names", "known: conn_id"):
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ({"reason": "AUTHENTICATION FAIL"}, {"reason": "AUTHENTICATION FAIL", "code": "15"}),
        ({"code": "1"}, {"code": "1", "reason": "phase1 proposal mismatch"}),
        ({"code": "99"}, {"code": "99"}),
        ({"reason": "never heard of"}, {"reason": "never heard of"}),
        ({"reason": "dpd timeout"}, {"reason": "dpd timeout"}),
        ({"reason": "authentication fail", "code": "7"}, {"reason": "authentication fail", "code": "7"}),
        ({}, {}),
    ],
)
def test_reason_and_code_are_made_to_agree(given: dict[str, str], completed: dict[str, str]) -> None:
    assert complete(fakehandlers.FAIL_SYSLOG, given, ROWS) == completed


def test_a_template_without_code_is_left_alone() -> None:
    assert complete(fakehandlers.STOP_SYSLOG, {"reason": "authentication fail"}, ROWS) == {
        "reason": "authentication fail"
    }
