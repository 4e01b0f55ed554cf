"""The status page as people see it: on a desk and on a phone, light and dark, with 3 accounts and
with 200 in every state. The pictures are kept in artifacts/.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from forwarder.ops.condition import Condition
from forwarder.ops.server import OpsServer
from forwarder.ops.status import Status
from tests.support import statuses
from tests.support.chromium import Chromium, Screen, Tab
from tests.support.png import Picture, read_png, size_of

ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts" / "status-page"
DESK, PHONE = Screen(1280, 900), Screen(390, 844, phone=True)
SAMPLES = {
    "three": statuses.three(),
    "trouble": statuses.trouble(),
    "two-hundred": statuses.two_hundred(),
}
SCREENS = {
    "desk": DESK,
    "desk-dark": replace(DESK, dark=True),
    "phone": PHONE,
    "phone-dark": replace(PHONE, dark=True),
}
LIGHT, DARK = (246, 247, 249), (18, 21, 26)
NAMES = "[...document.querySelectorAll('#rows .name')].map(e => e.firstChild.textContent)"
OVERFLOWING = """[...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
    .map(e => e.tagName + '.' + e.getAttribute('class'))"""


@dataclass
class Site:
    """A server whose status a test can change."""

    status: Status
    url: str = ""

    def sick(self) -> str | None:
        return None

    def unready(self) -> str | None:
        return None


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(statuses.three())
    server = OpsServer("127.0.0.1:0", site, lambda: site.status, lambda: lambda: b"")
    await server.start()
    site.url = f"http://127.0.0.1:{server.port}/"
    yield site
    await server.stop()


async def keep_picture(tab: Tab, name: str) -> bytes:
    data = await tab.screenshot()
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    (ARTIFACTS / f"{name}.png").write_bytes(data)
    return data


async def thumbnail(tab: Tab, screen: Screen) -> Picture:
    """A quarter as wide and high, since reading a PNG in Python takes its time."""
    area = {"x": 0, "y": 0, "width": screen.width, "height": screen.height, "scale": 0.25}
    return read_png(await tab.screenshot(area))


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("sample", SAMPLES)
async def test_it_can_be_looked_at(browser: Chromium, site: Site, sample: str, screen: str) -> None:
    shown = SCREENS[screen]
    site.status = SAMPLES[sample]
    async with browser.tab(site.url, shown) as tab:
        kept = await keep_picture(tab, f"{sample}-{screen}")
        seen = await thumbnail(tab, shown)
        assert await tab.evaluate("document.documentElement.scrollWidth") <= shown.width
        assert await tab.evaluate(OVERFLOWING) == []
        assert await tab.evaluate(f"{NAMES}.length") == len(site.status.accounts)
        assert tab.problems == []
    scale = 2 if shown.phone else 1
    assert size_of(kept) == (shown.width * scale, shown.height * scale)
    colours = seen.colours()
    assert len(colours) > 50, "the page is blank"
    assert seen.rows[0][0] == (DARK if shown.dark else LIGHT)


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
async def test_the_sentence_on_top_is_seen_without_scrolling(
    browser: Chromium, site: Site, screen: Screen
) -> None:
    site.status = statuses.trouble()
    async with browser.tab(site.url, screen) as tab:
        box = await tab.evaluate(
            "JSON.parse(JSON.stringify(document.querySelector('h1').getBoundingClientRect()))"
        )
        text = await tab.evaluate("document.querySelector('h1').innerText")
        first = await tab.evaluate(f"{NAMES}[0]")
    assert box["top"] >= 0
    assert box["bottom"] < screen.height / 2
    assert "nova-pixel, breaker open since 11:22 UTC because misconfigured" in text
    assert first == "nova-pixel"


async def test_every_state_looks_different_from_delivering(browser: Chromium, site: Site) -> None:
    site.status = statuses.two_hundred()
    async with browser.tab(site.url, DESK) as tab:
        found = await tab.evaluate(
            "Object.fromEntries([...document.querySelectorAll('.badge')]"
            ".map(e => [e.innerText, getComputedStyle(e).backgroundColor]))"
        )
    assert set(found) == {condition.value for condition in Condition}
    for condition in Condition:
        if condition is not Condition.DELIVERING:
            assert found[condition.value] != found[Condition.DELIVERING.value]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_text_stands_out_from_its_background(
    browser: Chromium, site: Site, dark: bool
) -> None:
    """Contrast of at least 4.5, as WCAG 2.2 asks for text of this size (AA)."""
    site.status = statuses.two_hundred()
    script = """(() => {
      const light = c => { const f = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
          .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
      const under = e => { const c = getComputedStyle(e).backgroundColor;
        return c !== 'rgba(0, 0, 0, 0)' || !e.parentElement ? c : under(e.parentElement); };
      const texts = '.badge, .chip, .why, small, dt, dd, h1, h2, td, th, footer, a, .tiles li';
      return [...document.querySelectorAll(texts)].map(e => {
        const [a, b] = [light(getComputedStyle(e).color), light(under(e))].sort((x, y) => y - x);
        return [(a + 0.05) / (b + 0.05), e.tagName + '.' + e.className];
      }).sort((a, b) => a[0] - b[0])[0]; })()"""
    async with browser.tab(site.url, replace(DESK, dark=dark)) as tab:
        contrast, element = await tab.evaluate(script)
    assert contrast >= 4.5, element


async def test_it_refreshes_itself_and_keeps_what_was_typed(browser: Chromium, site: Site) -> None:
    async with browser.tab(site.url, DESK) as tab:
        await tab.evaluate("document.querySelector('input').focus()")
        await tab.call("Input.insertText", text="nova")
        await tab.until(f"{NAMES}.length === 0")
        site.status = statuses.trouble()
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await tab.until(f"{NAMES}.join() === 'nova-pixel'")
        assert await tab.evaluate("document.querySelector('h1').className") == "headline bad"
        assert await tab.evaluate("document.querySelector('input').value") == "nova"
        assert await tab.evaluate("document.activeElement.name") == "q"
        assert await tab.evaluate("location.search") == "?q=nova&show=&sort="
        assert tab.problems == []


async def test_it_refreshes_by_time(browser: Chromium, site: Site) -> None:
    """The page's own clock is replaced before it loads, so nobody waits for it."""
    early = "window.ticks = []; window.setInterval = (run, ms) => ticks.push([run, ms]);"
    async with browser.tab("about:blank", DESK) as tab:
        await tab.call("Page.addScriptToEvaluateOnNewDocument", source=early)
        await tab.open(site.url, DESK)
        site.status = statuses.trouble()
        assert await tab.evaluate("ticks[0][1]") == 5000
        await tab.evaluate("ticks[0][0]()")
        await tab.until(f"{NAMES}.includes('nova-pixel')")


async def test_a_replica_that_is_gone_shows(browser: Chromium) -> None:
    site = Site(statuses.three())
    server = OpsServer("127.0.0.1:0", site, lambda: site.status, lambda: lambda: b"")
    await server.start()
    async with browser.tab(f"http://127.0.0.1:{server.port}/", DESK) as tab:
        await server.stop()
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await tab.until("document.body.classList.contains('stale')")
        said = await tab.evaluate(
            "getComputedStyle(document.getElementById('fresh'), '::before').content"
        )
        assert said == '"no answer since "'
        assert await tab.evaluate(f"{NAMES}.length") == 3


async def test_without_javascript(browser: Chromium, site: Site) -> None:
    """The form works by its button, and the page reloads itself."""
    site.status = statuses.trouble()
    silent = replace(PHONE, javascript=False)
    async with browser.tab(f"{site.url}?q=nova", silent) as tab:
        assert await tab.evaluate(NAMES) == ["nova-pixel"]
        assert await tab.evaluate("getComputedStyle(document.querySelector('button')).display") != (
            "none"
        )
        refresh = "document.querySelector('meta[http-equiv=refresh]').content"
        assert await tab.evaluate(refresh) == "10"
        await keep_picture(tab, "trouble-phone-without-javascript")


async def test_it_asks_nobody_else(browser: Chromium, site: Site) -> None:
    site.status = statuses.two_hundred()
    async with browser.tab(site.url, DESK) as tab:
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await tab.evaluate("new Promise(done => requestAnimationFrame(done))")
        assert tab.requests
        assert all(url.startswith(site.url) for url in tab.requests)


async def test_a_name_with_markup_is_shown_as_text(browser: Chromium, site: Site) -> None:
    evil = "<img src=x onerror=document.title='broken'>"
    site.status = statuses.status(statuses.blocked(evil, "tiktok"))
    async with browser.tab(site.url, DESK) as tab:
        assert await tab.evaluate(NAMES) == [evil]
        assert await tab.evaluate("document.title") == "forwarder"
