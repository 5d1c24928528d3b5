"""The pages in a real browser: they fit, load nothing from elsewhere, and nothing on them runs."""

import pytest
from correlate_strategies import inventory, parse
from msgspec.structs import replace
from peers import peer
from web_browser import Browser
from web_fakes import FakeService, serving

from eventd.model import Reason

EVIL = (
    "<script>document.title='owned'</script><img src=//evil.example/x onerror=\"document.title='owned'\">" + "y" * 300
)


@pytest.mark.peer
async def test_pages_fit_the_screen_load_nothing_foreign_and_run_nothing() -> None:
    program = peer("chromium")
    async with serving(FakeService(inventory=inventory(name="b" * 120, site="s" * 60))) as site:
        await site.service.tell("\n".join(f"{n} stop dpd timeout peer=10.0.0.{n}" for n in range(40)), until=100)
        seconds, event = parse("101 stop dpd timeout", 99)
        evil = replace(event, reason=Reason(text=EVIL, meaning=EVIL, severity="critical"), interface=EVIL, raw=EVIL * 5)
        await site.service.feed([(seconds, evil)], until=200)
        first = max(site.service.correlator.open_incidents(), key=lambda incident: incident.opened_at)
        async with Browser(program) as browser:
            for path in ("/?refresh=off", f"/incidents/{first.id}?refresh=off"):
                for width in (390, 1280):
                    await browser.open(site.url + path, width=width, height=844)
                    assert await browser.value("document.documentElement.scrollWidth") <= width
                    assert await browser.value("getComputedStyle(document.body).marginTop") == "0px", "no style"
            assert await browser.value("document.title") != "owned"
            assert "<script>" in await browser.value("document.body.innerText")
            await browser.open(site.url + "/?refresh=off", dark=True)
            dark = await browser.value("getComputedStyle(document.body).backgroundColor")
            assert dark == "rgb(17, 20, 24)"
            assert [url for url in browser.requested if not url.startswith(site.url)] == []
            assert browser.said == []
