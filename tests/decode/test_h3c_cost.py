"""The longest datagram, filled with whatever a pattern might stumble over, is decoded at once."""

import time

import pytest
from h3c_lines import HOST, decode

from handlers.h3c.relayed import MODULES

#: The most that UDP over IPv4 carries.
LENGTH = 65_507
#: Seconds of processor time, best of three. A hundredth is ordinary, and a busy machine makes ten of it; a pattern that
#: goes back over what it read needs many seconds.
AFFORDABLE_S = 0.5
TAGS = ["IPSEC/6/IPSEC_SA_TERMINATE", "IKE/6/IKE_P1_SA_ESTABLISH_FAIL", "IFNET/3/PHY_UPDOWN", "BFD/5/BFD_CHANGE_FSM"]
TAGS += ["SHELL/6/SHELL_CMD", "VRRP4/6/VRRP_STATUS_CHANGE", "IPSEC/6/IPSEC_PACKET_DISCARDED"]
UNITS = [
    *(" ", "\n", "\r\n", "#012", "#015#012", " - ", " -", ". ", ",", "; ", ": ", "a", "a ", "A:", "A: a\n", "1.", "/"),
    *("Reason", "Reason: ", "Local IP", "Local IP: ", "Local IP:\n", "source address is ", "source ", "[", "] ", "•"),
    *("for the reason of ", "the SA's ", ", the SA", "Sess[", "Sess[a/", "Sess[a/b,", "Sta: UP->", "Interface:"),
    *("Command is ", "remote ", "reset ike sa ", "connection-id 1 ", "changed from a to ", "configured on a", "隧"),
    *("protocol ", "on the interface ", "is down", "log_type=", "log_type=;content="),
]
BEGINS = {"BFD/5/BFD_CHANGE_FSM": "Sess[a/", "SHELL/6/SHELL_CMD": "Command is reset ike sa "}


def cost(text: str) -> float:
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        decode(text)
        best = min(best, time.process_time() - began)
        if best < AFFORDABLE_S:
            break
    return best


@pytest.mark.parametrize("tag", [*TAGS, MODULES[1] + "/6/123"])
def test_no_filling_makes_decoding_expensive(tag: str) -> None:
    head = f"<190>Nov 21 04:00:00 2026 {HOST} {'' if tag[0].isdigit() else '%%10'}{tag}: {BEGINS.get(tag, '')}"
    slow = {unit: cost((head + unit * LENGTH)[:LENGTH]) for unit in UNITS}
    assert {unit: seconds for unit, seconds in slow.items() if seconds > AFFORDABLE_S} == {}
