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

#: How a condition ends that the device takes back.
CLEARED_BY_DEVICE = "cleared by the device"

#: How the catalogue begins steps that say all is well.
SOOTHING = ("nothing to do", "harmless", "ignore it")

#: How the headline of a condition begins that is no limit although it is told as one.
SERVICE_FAULT = "the IPsec service failed"

#: How a title goes on after the name, while it lasts and when it is over.
STANDS = {
    "tunnel_down": "down",
    "tunnel_degraded": "partly down",
    "negotiation_failing": "cannot negotiate",
    "flapping": "flapping",
    "flow_self_heal": "repaired lost IPsec flows",
    "capacity": "at an IPsec limit",
    "service_fault": "has an IPsec service that failed",
    "security": "IPsec security event",
    "device_silent": "is silent",
    "interface_outage": "lost {lost} peers on {interface}",
    "device_outage": "lost {lost} peers",
    "peer_outage": "lost by several devices",
}
ENDED = {
    "tunnel_down": "up again",
    "tunnel_degraded": "whole again",
    "negotiation_failing": "no longer fails to negotiate,",
    "flapping": "stopped flapping",
    "flow_self_heal": "had no more flows to repair",
    "capacity": "below the IPsec limit again",
    "service_fault": "has a working IPsec service again",
    "security": "quiet again",
    "device_silent": "speaks again",
    "interface_outage": "has all {lost} peers on {interface} again",
    "device_outage": "has all {lost} peers again",
    "peer_outage": "up again for all devices",
}

#: Kinds that can turn into another one.
BECOMES = {
    "tunnel_down": "the outage of the tunnel to {peer}",
    "tunnel_degraded": "the partial outage to {peer}",
    "negotiation_failing": "the failing negotiation with {peer}",
    "flapping": "the flapping tunnel to {peer}",
    "interface_outage": "the outage of one interface",
}

OVER = {
    "tunnel_down": "the outage of the tunnel to {peer} is over",
    "tunnel_degraded": "the partial outage to {peer} is over",
    "negotiation_failing": "the failing negotiation with {peer} is over",
    "flapping": "the tunnel to {peer} has stopped going down and up",
    "flow_self_heal": "no more lost IPsec flows had to be repaired",
    "capacity": "an IPsec limit is no longer reached",
    "service_fault": "the IPsec service works again",
    "security": "an IPsec security event no longer repeats",
    "device_silent": "the silence of the device is over",
    "interface_outage": "the outage of {lost} peers on {interface} is over",
    "device_outage": "the outage of {lost} peers is over",
    "peer_outage": "the outage of {peer} is over",
}
