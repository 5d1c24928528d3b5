"""What a message states without giving a reason is explained all the same, unless it is good news."""

import pytest
from huawei_lines import event, line, trap

from handlers.huawei._tables import NOTIFICATIONS
from handlers.huawei.reasons import CATALOGUE

STATED = [row for row in NOTIFICATIONS.values() if row.event in ("ipsec.capacity", "ipsec.security")]
BAD = [row for row in STATED if row.mark.get("state") != "clear"]


@pytest.mark.parametrize("row", BAD, ids=lambda row: row.name)
def test_every_bad_state_is_explained_with_steps(row):
    assert row.space == "condition"
    for message in (trap(row.name), line(f"IPSEC/4/{row.name}", "It happened.")):
        reason = event(message).reason
        assert (reason.known, reason.name, event(message).severity) == (True, row.implies, reason.severity)
        assert reason.meaning
        assert reason.actions
        assert reason.source
    assert {one.space for one in CATALOGUE.rows if one.reason.name == row.implies} == {"condition"}


@pytest.mark.parametrize("row", [row for row in STATED if row not in BAD], ids=lambda row: row.name)
def test_good_news_has_no_reason(row):
    assert event(trap(row.name)).reason is None


@pytest.mark.parametrize("name", ["hwIPSecPkiLocalCertExpired", "hwIPSecPkiCALocalCertExpired"])
def test_an_expired_certificate_of_ones_own_is_major_and_is_shown(name):
    found = event(trap(name, {"hwIPSecPkiCASubject": "CN=FW1", "hwIPSecPkiExpiredTime": "2026-11-20"}))
    assert (found.severity, found.reason.category) == ("major", "authentication")
    assert (found.extra["hwIPSecPkiCASubject"], found.extra["hwIPSecPkiExpiredTime"]) == ("CN=FW1", "2026-11-20")


def test_a_cleared_alarm_states_nothing():
    found = event(line("IPSEC/4/hwIPSecLicenseExhaustAlarm_clear", "CID=0x1-alarmID=0x2-clearType=x;It is over."))
    assert (found.event, found.severity, found.reason) == ("ipsec.capacity", "info", None)
    up = line("IPSEC/4/hwIPSecSlaLinkDown", "The link status of IPsec SLA detection change to up. (Status=up)")
    assert (event(up).severity, event(up).reason) == ("info", None)


def test_probes_self_heal_and_whitelist_are_explained():
    down = event(
        line("IPSEC/4/hwIPSecSlaLinkDown", "The link status of IPsec SLA detection change to down. (Status=down)")
    )
    assert (down.reason.category, down.severity) == ("peer-unreachable", "major")
    assert event(line("IPSEC_ADP/4/FLOWSELFHEAL", "Flows.")).reason.name == "flow self heal"
    refused = event(trap("hwIPSecPkiWhitelistNegotiationFail"))
    assert (refused.event, refused.reason.category) == ("ipsec.negotiation.fail", "authentication")


@pytest.mark.parametrize(("wanted", "state"), [("DOWN", "shut"), ("UP", None)])
def test_an_interface_that_somebody_wants_to_be_down_says_so(wanted, state):
    log = line("IFNET/2/linkDown_active", f"It changes. (ifName=GE1/0/1, AdminStatus={wanted}, OperStatus=DOWN)")
    snmp = trap("linkDown", {"ifIndex": 7, "ifAdminStatus": 2 if state else 1, "ifOperStatus": 2})
    assert [(event(one).event, event(one).extra.get("state")) for one in (log, snmp)] == [("link.down", state)] * 2
