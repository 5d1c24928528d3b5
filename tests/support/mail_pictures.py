"""Draws docs/screens/email-*.png: mails as a desktop and a phone show them, light and dark.

python tests/support/mail_pictures.py
"""

import asyncio
import base64
import sys
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parent))

from notify_fakes import make_incident, make_notification, make_resolved
from peers import peer
from web_browser import Browser

from eventd.model import Digest
from eventd.notify.email import HTML
from eventd.notify.render import Renderer, own_template

SCREENS = Path(__file__).parent.parent.parent / "docs/screens"
#: width and height of the picture, and whether the system prefers dark
LOOKS = {
    "desktop": (800, 600, False),
    "desktop-dark": (800, 600, True),
    "phone": (390, 780, False),
    "phone-dark": (390, 780, True),
}
#: What the documents show; all others are drawn only into another folder.
SHOWN = {"opened-desktop", "opened-phone-dark", "digest-phone"}


def mails() -> dict[str, str]:
    """HTML by name."""
    render = Renderer(own_template("email.html.j2"), HTML)
    incident = make_incident(
        title="branch-7 down: dpd timeout",
        url="https://eventd.example.net/incidents/a1b2c3d4e5f6",
        runbook_url="https://wiki.example.net/vpn/branch-7",
        device_site="Oslo",
    )
    opened = make_notification(incident=incident)
    ended = msgspec.structs.replace(make_resolved(), title="branch-7 up again after 3 min 20 s", url=incident.url)
    lines = [opened, make_notification(incident=ended, id="n-2")]
    for number in range(3, 7):
        other = msgspec.structs.replace(
            incident,
            id=f"{number}0b2c3d4e5f6",
            title=f"branch-{number} down: dpd timeout",
            severity="critical" if number == 3 else "warning",
            opened_at=incident.opened_at + timedelta(seconds=number),
        )
        lines.append(make_notification(incident=other, id=f"n-{number}"))
    return {
        "opened": render(opened),
        "resolved": render(make_notification(incident=ended)),
        "digest": render(Digest("d-1", "mail", "storm", tuple(lines), opened.created_at)),
    }


async def draw(folder: Path, wanted: Collection[str] | None = None) -> None:
    """One PNG per mail and look, all of them or those ``wanted``."""
    folder.mkdir(exist_ok=True)
    async with Browser(peer("chromium")) as browser:
        for name, page in mails().items():
            address = "data:text/html;base64," + base64.b64encode(page.encode()).decode()
            for look, (width, height, dark) in LOOKS.items():
                if wanted is None or f"{name}-{look}" in wanted:
                    await browser.open(address, width=width, height=height, dark=dark)
                    await browser.picture(str(folder / f"email-{name}-{look}.png"))


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])) if len(sys.argv) > 1 else draw(SCREENS, SHOWN))
