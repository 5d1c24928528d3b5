"""What somebody who can put words into a syslog line would try on a chat."""

import os
import random
import re
from collections.abc import Iterator
from typing import Any

import examples
from hypothesis import strategies as st
from notify_fakes import T0, make_incident, make_notification, make_resolved

from eventd.model import Digest, Incident, Notification, Reason, utc

#: How many hostile incidents each channel is told of: ``EVENTD_HOSTILE=10000 pytest --timeout 0 -k
#: "wire or hostile or fallback" tests/notify`` is the acceptance run.
EXAMPLES = int(os.environ.get("EVENTD_HOSTILE", "20"))
#: The same for properties.
TRIED = examples.some(EXAMPLES, "EVENTD_HOSTILE")
#: Addresses that are ours and may be links.
PAGE = "https://eventd.example/incidents/a1b2c3d4e5f6"
RUNBOOK = "https://eventd.example/runbook#dpd-timeout"

PIECES = (
    "@everyone", "@here", "@channel", "@all", "<@123456789012345678>", "<@&1>", "<#1>", "<!channel>", "<!here|here>",
    "<users/all>", "@bob", "@bob_b", "bob@evil.example", "<at>Bob</at>", "tg://user?id=1", "t.me/evil", "evil.example",
    "/reboot", "#tag", "$USD", "+15551234567", "[click](https://evil.example)", "[click][1]", "![x](http://evil/x.png)",
    "<https://evil.example|bank>", "<a href='https://evil'>x</a>", '<a href="tg://user?id=1">x</a>', "</b></code>",
    "https://evil.example/a_b", "HTTP://EVIL", "www.evil.example", "javascript:alert(1)", "mailto:a@evil.example",
    "**", "*b*", "__", "_i_", "~~s~~", "||spoiler||", "`code`", "```", "> quote", "# head", "- item", "1. one",
    "-# sub", "---", "===", "\\", "\\\\", "\\*", "\\[", "&lt;", "&amp;#42;", "&", "<", ">", "]", "(", ")", '"', "'",
    '"}],"x":[{"', "{{DATE(2017-02-14T06:00:00Z)}}", "${x}", "{{ 7*7 }}", "{% if %}", "\ue000", "\ue002x\ue003https://evil\ue004",
    "\n", "\r\n", "\u2028", "\u202e", "\u200b", "\x00", "\x1b[31m", "\ud800", "\U0001f525", "本", "é", " ", "x", "0",
    "@", ":", "/", "_",
)  # fmt: skip

texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), min_size=1, max_size=12).map("".join)


def some(count: int) -> Iterator[str]:
    """So many of the like, the same at every run, for tests that wait for a far end."""
    rng = random.Random(count)
    for _ in range(count):
        pieces = (rng.choice((*PIECES, chr(rng.randrange(0x110000)))) for _ in range(rng.randrange(1, 13)))
        yield "".join(pieces)


def without_commands(text: str, left: str = "·") -> str:
    """With ``left`` (``\\1``: what it holds) for code in the numbered steps, where we put it; back-ticks anywhere else
    are not ours."""
    return re.sub(r"(?m)^\d+\. .*$", lambda line: re.sub(r"`([^`\n]+)`", left, line[0]), text)


def incident_of(text: str, **changed: Any) -> Incident:
    """An incident that says ``text`` wherever a device or a peer can put something."""
    fields: dict[str, Any] = dict.fromkeys(
        ("device", "peer", "peer_name", "site", "device_site", "interface", "vsys", "summary", "title"), text
    )
    fields |= {
        "chain": (text, f"22:13:00 {text}"),
        "actions": (text, f"run `{text}`, then {text}"),
        "cause": Reason(text, meaning=text),
    }
    return make_incident(**fields | {"url": PAGE, "runbook_url": RUNBOOK, **changed})


def told_of(text: str) -> Notification:
    """Its opening."""
    return make_notification(incident=incident_of(text))


def digest_of(count: int, title: str = "*" * 120, **changed: Any) -> Digest:
    """So many open incidents at once, each with a long headline, an id and an address of its own."""
    each = (
        make_notification(
            what="updated",
            incident=make_incident(
                id=f"a1b2c3d4e{n:03}",
                severity="critical",
                title=title,
                url=f"https://eventd.noc.example.net/incidents/a1b2c3d4e{n:03}",
                **changed,
            ),
            id=f"n{n}",
        )
        for n in range(count)
    )
    return Digest("d-1", "ops", "storm", tuple(each), utc(T0), more=123)


def over(thread: str | None = None, **changed: Any) -> Notification:
    """An end, which belongs to the message ``thread``."""
    return make_notification(incident=make_resolved(url=PAGE, **changed), thread=thread)
