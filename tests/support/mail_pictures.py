"""Draws docs/screens/email-*.png: mails as a desktop and a phone show them, light and dark.

python tests/support/mail_pictures.py
"""

import asyncio
import base64
import sys
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from channel_texts import told
from peers import peer
from web_browser import Browser

from eventd.notify.email import HTML
from eventd.notify.template import Renderer, own_template

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
    """HTML by name, of what docs/messages.md shows for the other channels."""
    render = Renderer(own_template("email.html.j2"), HTML)
    return {name: render(one) for name, one in told().items()}


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
