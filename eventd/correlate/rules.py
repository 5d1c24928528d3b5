"""The rules by name, as metrics (``eventd_suppressed_total{rule}``), `explain` and docs/rules.md use them.

``{…}`` are settings of ``[correlate]``, filled in with the values in force.
"""

from msgspec import Struct

from eventd.correlate.settings import Settings
from eventd.correlate.texts import span


class Rule(Struct, frozen=True):
    """``concludes``: what it means for what it was applied to. ``unless``: what would have changed the outcome."""

    concludes: str
    unless: str


#: Rules after which somebody is told.
TELLING = {
    "outage-hold": Rule(
        "A tunnel stopped and no start of it came within {outage_hold}: an outage.",
        "A start, or another proof of life, within {outage_hold} of the stop.",
    ),
    "unproven-replacement": Rule(
        "A tunnel was to be replaced, and the new one did not show up within {rekey_hold}: an outage.",
        "A start of that tunnel within {rekey_hold} before or after the stop.",
    ),
    "on-purpose": Rule(
        "A tunnel was taken down on purpose: worth knowing, and no alarm unless what is expected next does not come.",
        "A start within {outage_hold}; or a reason that does not say that it was on purpose, and no command near it.",
    ),
    "not-back": Rule(
        "Its device restarted, which leaves no tunnel up, and it has not come back within five minutes: an outage.",
        "A start of it since; the trigger traffic in the inventory; no proof within the last day that it was up; or a "
        "coldStart, and nothing else that shows a restart: no link, no other word of it, no peer that begins anew.",
    ),
    "failing": Rule(
        "Negotiation fails, with no stop before it.",
        "A start, a success or phase 1 within {outage_hold}; or only one failure, of a peer that is not known.",
    ),
    "flapping": Rule(
        "A tunnel went up and down {flap_count} times within {flap_window}, or stops at a steady pace: told once, "
        "instead of every time, until it is quiet.",
        "Fewer ups and downs within {flap_window}; the first that is back in its hold does not count.",
    ),
    "group": Rule(
        "At least {group_peers} peers, or {group_share} of them, were lost within {group_window} in one place and "
        "stay down: one outage.",
        "Fewer of them, or further apart; a link that went down or a restart near them makes two enough.",
    ),
    "condition": Rule(
        "The device states a condition (limit, security, self-heal, silence), or one of its lines is down and the "
        "peers that it carried went over to another one.",
        "Its clear, or that it is not repeated.",
    ),
}

#: Rules after which nobody is told.
SUPPRESSING = {
    "recovered-in-hold": Rule(
        "It came back, or was negotiated after all, before its hold was over: nobody has to know.",
        "No start within {outage_hold} of the stop; or, where negotiation failed with no stop before it, a second "
        "failure, or no success in its hold.",
    ),
    "rekey": Rule(
        "One SA replaced another: normal.",
        "No start of that tunnel within {rekey_hold} before or after the stop, or a failed negotiation within it.",
    ),
    "overtaken": Rule(
        "By the device's own clock this start came before the stop that arrived first: it proves nothing.",
        "A later device time in the start.",
    ),
    "standby": Rule(
        "A standby unit's copy of what the active one does.", "The same from the active unit, or without that mark."
    ),
    "switch-over": Rule(
        "The other unit of the pair has taken the tunnel over.",
        "No switch-over noted near the stop, or no start of that peer on another device.",
    ),
    "renumbered": Rule(
        "The same networks are up on that device under another address of the peer.",
        "Networks that a third peer has, too, another interface or policy, or a row of its own for each of the two "
        "addresses in the inventory.",
    ),
    "other-line": Rule(
        "The same networks of that peer are up over another line of the device.",
        "A flow that names no networks, or that was up over both lines for more than five minutes: one of the two is "
        "missed then.",
    ),
    "waits-for-traffic": Rule(
        "Tunnels ran out, or did not come back with the others, and the inventory says that they wait for traffic or "
        "the far end: the next packet brings them up.",
        "Another trigger in the inventory, a stop for another reason, a line down, or a negotiation that fails.",
    ),
    "single-failure": Rule(
        "One failed negotiation of a stranger, or beside a working tunnel: scanners fail once.",
        "A second failure within ten minutes, or a peer that is in the inventory and has no tunnel up.",
    ),
    "context": Rule(
        "It explains what happens near it and is no problem by itself.",
        "A stop within a minute: then it is in its chain.",
    ),
    "hygiene": Rule("Worth a list, not a call.", "A graver severity in the message."),
    "grouped": Rule(
        "Told by the incident that has it among its children.",
        "Fewer peers lost with it: then it is told by itself. Its end is told if its beginning was.",
    ),
    "far-end": Rule(
        "The other end of the link reports the same outage: one incident tells it with both witnesses.",
        "Addresses that do not say that it is the same link, or another {group_window} between the reports.",
    ),
    "silenced": Rule("Somebody silenced it.", "No silence that fits; what is still open when it ends is told then."),
    "maintenance": Rule(
        "It lies in a planned window.", "No window that fits; what is still open when it ends is told then."
    ),
    "acked": Rule("Somebody has taken it: it is not recalled.", "No acknowledgement, or one that has run out."),
    "limit": Rule("There are more peers or devices than eventd remembers.", "Fewer of them, with nothing open."),
}

RULES = {**SUPPRESSING, **TELLING}


def worded(text: str, settings: Settings) -> str:
    """A sentence of a rule with the settings in force."""
    values = {
        name: span(value) if isinstance(value, float) and name != "group_share" else f"{value:g}"
        for name in settings.__struct_fields__
        if isinstance(value := getattr(settings, name), float | int)
    }
    return text.format(**values | {"group_share": f"{settings.group_share:.0%}"})
