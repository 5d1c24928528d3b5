"""The fixed words that people read: what is expected next, how headlines begin and end, what to do without a reason."""

#: What is expected next after a stop on purpose (`eventd.correlate.cases.expectation`).
AWAITS = {
    "auto": "it renegotiates by itself, so it should be back within two minutes",
    "traffic": "it comes back with the next traffic that matches its policy",
    "peer": "only the far end can bring it back, because this is the template end",
    "unknown": "whether it comes back by itself is not known, because the inventory does not say how it is triggered",
    "trying": "negotiation was tried since then and fails",
    "late": "it has not come back so far",
    "overdue": "it should be back by now and is not",
    "nothing": "nothing more is expected of it",
}


#: Kinds whose devices may give no reason, and what to do then.
UNEXPLAINED = ("tunnel_down", "tunnel_degraded", "negotiation_failing", "flapping")
UNEXPLAINED_STEPS = (
    "Ping {peer} from {device}: no answer means the path or the far device, not IPsec",
    "Look at the IKE SA of {peer} on {device}: is there one, and in what state",
    "Read what both ends logged about each other at that time; {device} gave no reason here",
)

#: How a stop on purpose ends after which nothing is expected.
GIVEN_UP = "taken down on purpose, and nothing more was expected"
#: How a condition ends that the device takes back.
CLEARED_BY_DEVICE = "cleared by the device"

#: How the catalogue marks steps that cut whatever else works of the peer: no advice where only a part of it is out.
CUTS_ALL = "(cuts every tunnel"
#: What is to be said instead.
ONLY_PART = "Out is only {which}: look at that at both ends, and reset nothing that other tunnels of the peer use"

#: The line of these tunnels brings them back: no advice where they are up over another, or were lost over that as well.
COME_BACK = "Leave the single tunnels alone: they come back with the line"
#: What is to be said instead of those that were lost over several lines, one after the other.
LOOK_TOO = "Look at {names}, too: what was left to these peers was lost over that"

#: How the catalogue begins steps that say all is well.
SOOTHING = ("nothing to do", "harmless", "ignore it")

#: How the headline of a condition begins that is no limit although it is told as one.
SERVICE_FAULT = "the IPsec service failed"

#: Sorts of case (`eventd.correlate.headlines.sort_of`) whose title begins with the peer; the others': with the device.
OF_PEERS = (
    "tunnel_down", "on_purpose", "given_up", "probe", "tunnel_degraded", "poor", "negotiation_failing",
    "flapping", "peer_outage",
)  # fmt: skip

#: Those of them of which the tunnel is no longer there, whatever has become of the peer.
OF_TUNNELS = ("tunnel_down", "on_purpose", "given_up", "tunnel_degraded", "flapping")

#: How a title goes on after that name, while it lasts and when it is over; by sort of case.
STANDS = {
    "tunnel_down": "down on {device}",
    "on_purpose": "down on purpose on {device}",
    "probe": "does not answer the SLA probe of {device}",
    "tunnel_degraded": "partly down on {device}",
    "poor": "reached poorly from {device}",
    "negotiation_failing": "cannot negotiate with {device}",
    "failing_alike": "cannot negotiate with {lost}",
    "strangers": "cannot negotiate with {lost}",
    "flapping": "flapping on {device}",
    "flow_self_heal": "repaired lost IPsec flows",
    "capacity": "at an IPsec limit",
    "service_fault": "has an IPsec service that failed",
    "security": "IPsec security event",
    "device_silent": "is silent",
    "line_outage": "lost line {interface}, {lost} went over to {over}",
    "interface_outage": "lost {lost} on {interface}",
    "device_outage": "lost {lost}",
    "peer_outage": "lost by {lost}",
}
ENDED = {
    "tunnel_down": "up again on {device}",
    "on_purpose": "up again on {device}",
    "given_up": "no longer waited for on {device},",
    "probe": "answers the SLA probe of {device} again",
    "tunnel_degraded": "whole again on {device}",
    "poor": "reached well again from {device}",
    "negotiation_failing": "no longer fails to negotiate with {device},",
    "failing_alike": "has no more failures with {lost}",
    "strangers": "has no more failures with {lost}",
    "flapping": "stopped flapping on {device}",
    "flow_self_heal": "had no more flows to repair",
    "capacity": "below the IPsec limit again",
    "service_fault": "has a working IPsec service again",
    "security": "IPsec security event is quiet",
    "device_silent": "speaks again",
    "line_outage": "has line {interface} again",
    "interface_outage": "has its {lost} on {interface} again",
    "device_outage": "has its {lost} again",
    "peer_outage": "up again for {lost}",
}

#: What a case is called that an operator clears or that has become another one.
NOUNS = {
    "tunnel_down": "the outage of the tunnel to {peer}",
    "on_purpose": "the outage of the tunnel to {peer}",
    "given_up": "the outage of the tunnel to {peer}",
    "probe": "the unanswered SLA probe to {peer}",
    "tunnel_degraded": "the outage of some tunnels to {peer}",
    "poor": "the poor way to {peer}",
    "negotiation_failing": "the failing negotiation with {peer}",
    "failing_alike": "the failing negotiation with {lost}",
    "strangers": "the failing negotiation with {lost}",
    "flapping": "the flapping tunnel to {peer}",
    "flow_self_heal": "the repair of lost IPsec flows",
    "capacity": "the IPsec limit",
    "service_fault": "the failed IPsec service",
    "security": "the IPsec security event",
    "device_silent": "the silence of the device",
    "line_outage": "the outage of line {interface}",
    "interface_outage": "the outage of {lost} on {interface}",
    "device_outage": "the outage of {lost}",
    "peer_outage": "the outage of {peer}",
}

#: How it goes on where all that are not back for good flap, and are up right now.
ALL_UP = "all up now"
#: How an outage of many goes on of whose peers each has a tunnel left.
ALL_REACHED = "all still reachable"
#: What is said of those that are not back, where others of them are.
PARTLY = "still partly down"
#: How many of them have none left, where others do.
CUT_OFF = "cut off"
#: The same where nothing has shown since that what is left works (`eventd.correlate.parts`); also of one peer.
UNPROVEN = "others unproven"

#: How a case ends whose peer has another address now, which follows.
RENUMBERED = "back under another address, "
#: The same where it has gone over to another line of its device, which follows.
OTHER_LINE = "back over "

#: What a case has become, by the kind of its successor.
HEIRS = {
    "tunnel_down": "a full outage",
    "tunnel_degraded": "a partial outage",
    "flapping": "flapping",
    "device_outage": "an outage of the whole device",
}

OVER = {
    "tunnel_down": "the outage of the tunnel to {peer} is over",
    "on_purpose": "the tunnel to {peer}, taken down on purpose, is up again",
    "given_up": "the tunnel to {peer} was taken down on purpose and is not expected back: closed",
    "probe": "the SLA probe to {peer} is answered again",
    "tunnel_degraded": "the outage of some tunnels to {peer} is over",
    "poor": "the way to {peer} works well again",
    "negotiation_failing": "the failing negotiation with {peer} is over",
    "failing_alike": "the failing negotiation with {lost} is over",
    "strangers": "the failing negotiation with {lost} is over",
    "flapping": "the tunnel to {peer} has stopped going down and up",
    "flow_self_heal": "no more lost IPsec flows had to be repaired",
    "capacity": "an IPsec limit is no longer reached",
    "service_fault": "the IPsec service works again",
    "security": "an IPsec security event no longer repeats",
    "device_silent": "the silence of the device is over",
    "line_outage": "line {interface} is up again",
    "interface_outage": "the outage of {lost} on {interface} is over",
    "device_outage": "the outage of {lost} is over",
    "peer_outage": "the outage of {peer}, lost by {lost}, is over",
}

#: What is added when nothing has been heard for long, by what is awaited; the first where an all-clear was.
STALE = "Nothing has been heard of it for long: the all-clear may have been lost. If it works, clear it by hand."
STALE_WAITING = {
    "traffic": "It still waits for traffic that matches its policy; until some comes, no message is expected.",
    "peer": "It still waits for the far end, which alone can bring it back; until it does, no message is expected.",
}
#: Why something is told again that is as it was but for its cause.
CAUSE_KNOWN = "cause known"
#: The same as a line of the chain.
NOT_HEARD = "nothing heard for long"
NOT_AWAITED = {"traffic": "still waiting for traffic", "peer": "still waiting for the far end"}
