"""Writes docs/messages.md: what each channel sends for one incident, its end and a digest, as its service gets it.

Run it after a change of layouts; `tests/notify/test_messages.py` fails when the page is out of date.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
from channel_kinds import HTTP, MAKERS, TAKEN
from msgspec.structs import replace
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved

from eventd.model import Digest, Told, utc
from eventd.notify.endpoint import Endpoint
from eventd.notify.markup import BARE
from eventd.notify.session import Answer, Session
from eventd.notify.template import Renderer, own_template
from eventd.registry import load_notifiers

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
URL = "https://eventd.example/incidents/"
HEAD = """# What the channels say

Written by `python tests/support/channel_texts.py` from the channels themselves: what each sends to its service for an
incident that opens and ends, and for a digest. [How channels work](channels.md) · mail as people see it:
[a message](screens/email-opened-desktop.png), [a digest](screens/email-digest-phone.png)
"""


class Overheard(Session):
    """A session that posts nothing and keeps what it was to post."""

    def __init__(self, kind: str) -> None:
        super().__init__(external_url="https://eventd.example", clock=HandClock())
        self.kind, self.said = kind, list[Any]()

    async def post(self, to: Endpoint, payload: object = None, *_: Any, **__: Any) -> Answer:
        self.said.append(payload)
        return Answer(200, TAKEN.get(self.kind, "ok"))


def told() -> dict[str, Told]:
    """An incident, its end, and a digest of three."""
    opened = make_incident(
        url=URL + "a1b2c3d4e5f6",
        title="branch-7 down on FW1: dpd timeout, since 22:13 UTC",
        summary="FW1: the tunnel to branch-7 (203.0.113.7) is down: dpd timeout. Since 2023-11-14 22:13:00 UTC.",
        fault_side="path",
        actions=(
            "`ping 203.0.113.7`: no answer means the path",
            "Look at it on FW1: `display ike sa remote 203.0.113.7`",
        ),
    )
    over = make_resolved(
        url=opened.url,
        title="branch-7 up again on FW1 after 3 min 20 s",
        summary="FW1: the outage of the tunnel to branch-7 (203.0.113.7) is over after 3 min 20 s.",
    )
    grave = replace(
        opened,
        id="0f1e2d3c4b5a",
        url=URL + "0f1e2d3c4b5a",
        kind="interface_outage",
        severity="critical",
        title="FW1 lost 12 peers on GigabitEthernet0/0/1: link down, since 22:13 UTC",
    )
    other = replace(opened, id="112233445566", url=URL + "112233445566", title="branch-9 down on FW1: dpd timeout")
    members = tuple(
        make_notification(incident=one, id=f"n-{number}") for number, one in enumerate((opened, grave, other, over))
    )
    return {
        "opened": make_notification(incident=opened),
        "resolved": make_notification(incident=over),
        "digest": Digest("d1", "ops", "storm", members, utc(T0)),
    }


async def _posted(kind: str, one: Told) -> list[Any]:
    session = Overheard(kind)
    channel = load_notifiers()[kind].build("ops", MAKERS[kind]("https://chat.example", {}), session)
    await channel.deliver(one)
    return session.said


def _shown(payload: Any) -> str:
    hidden = ("timestamp", "sign")  # of the moment, and secret
    if isinstance(payload, dict):
        payload = {name: "…" if name in hidden else value for name, value in payload.items()}
    return json.dumps(json.loads(msgspec.json.encode(payload)), ensure_ascii=False, indent=1)


async def page() -> str:
    """The whole page."""
    parts = [HEAD]
    parts += [
        "## console\n",
        *(f"```\n{Renderer(own_template('console.txt.j2'), BARE)(one)}\n```" for one in _single()),
    ]
    for kind in HTTP:
        parts.append(f"## {kind}\n")
        for what, one in told().items():
            if what == "digest" and kind in {"webhook", "alertmanager"}:
                continue
            for payload in await _posted(kind, one):
                parts.append(f"### {kind}: {what}\n\n```json\n{_shown(payload)}\n```")
    return "\n".join(parts) + "\n"


def _single() -> list[Told]:
    return [one for what, one in told().items() if what != "digest"]


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")
