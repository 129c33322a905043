"""The page in a real browser: hostile names, the policy, the keyboard, both widths, light and dark.

Pictures of each view are kept in .local/page, to be looked at.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from selenium.webdriver.common.keys import Keys

from ops.fleet.circuits import pause
from ops.fleet.environment import LOCAL
from ops.page.app import VIEWS
from ops.page.serve import PageServer
from tests.unit.conftest import Aws, until
from tests.unit.ops.page.browser import Browser, browser
from tests.unit.ops.page.world import HOSTILE, JOBS, addresses, fill
from tests.unit.ops.site import Site

PICTURES = LOCAL / "page"
ACTIVE = "img, iframe, object, embed, base, style, [onload], [onerror], [onmouseover], meta[http-equiv]"
# Of every text that is seen: the WCAG contrast of its colour to what is behind it, where that is too low.
FAINT = """
const light = text => {
  const [r, g, b] = text.match(/[\\d.]+/g).map(Number).slice(0, 3)
    .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = element => {
  for (let one = element; one; one = one.parentElement) {
    const colour = getComputedStyle(one).backgroundColor;
    if (!/, 0\\)|transparent/.test(colour)) return colour;
  }
  return 'rgb(255, 255, 255)';
};
return [...document.querySelectorAll('body *')]
  .filter(one => [...one.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .map(one => {
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), one.outerHTML.slice(0, 80)];
  })
  .filter(([contrast]) => contrast < 4.5);
"""
FOCUSED = (
    "const one = document.activeElement; return one.getAttribute('aria-label') || one.textContent.trim();"
)


class Page:
    """The page in the browser."""

    def __init__(self, tab: Browser, url: str) -> None:
        self.tab = tab
        self.url = url.rstrip("/")

    def open(self, address: str) -> None:
        """Wait until the view is there, not only the word that it is being read."""
        self.tab.driver.get(self.url + address)
        while self.tab.run("return document.getElementById('live').dataset.every === '1'"):
            self.tab.driver.get(self.url + address)

    @property
    def text(self) -> str:
        return str(self.tab.run("return document.body.innerText"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tab.driver.switch_to.active_element.send_keys(key)

    @property
    def focused(self) -> str:
        return str(self.tab.run(FOCUSED))


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def site(
    aws: Aws, operators: tuple[boto3.Session, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Site:
    shared, clients = operators
    made = Site.create(shared, aws.url, tmp_path_factory.mktemp("page"), clients)
    fill(made)
    pause(made.fleet, ["worker"], HOSTILE[0])
    return made


@pytest.fixture(scope="module")
def page(tab: Browser, site: Site) -> Iterator[Page]:
    with PageServer(site.fleet) as server:
        tab.screen(1280, 900, "light")
        yield Page(tab, server.url)


def test_hostile_names_are_text_and_nothing_of_them_runs(page: Page) -> None:
    seen = ""
    for address in addresses():
        page.open(address)
        run = page.tab.run
        assert run("return typeof window.owned") == "undefined", address
        assert run(f"return [...document.querySelectorAll('{ACTIVE}')].map(e => e.outerHTML)") == []
        links = run("return [...document.querySelectorAll('a, form, link, script')].map("
                    "e => e.href || e.action || e.src)")  # fmt: skip
        assert all(link.startswith(page.url + "/") for link in links), links
        assert run("return document.documentElement.scrollWidth <= innerWidth"), address
        seen += page.text
    assert page.tab.complaints == []
    for shown in ("<script>owned=1</script>", "javascript:owned=1", "{{ 7*7 }}{% raw %}", "&lt;b&gt;&amp;"):
        assert shown in seen
    assert "\\x202egnp.exe" in seen
    assert "w" * 1_000 in seen
    assert not set("\u202e\u2066\x1b\x9b\x07") & set(seen)


def test_a_link_to_a_hostile_job_leads_to_it(page: Page) -> None:
    page.open("/jobs")
    links = page.tab.run("return [...document.querySelectorAll('td a.id')].map(a => a.href)")
    assert len(links) == len(JOBS)
    for link in links[:4]:
        page.open(link.removeprefix(page.url))
        assert "has never heard of" not in page.text


INJECTED = {
    "a script": "const s = document.createElement('script'); s.textContent = 'window.owned = 1'; "
    "document.body.append(s)",
    "a script from elsewhere": "const s = document.createElement('script'); "
    "s.src = 'data:text/javascript,window.owned=1'; document.body.append(s)",
    "a handler": "document.body.insertAdjacentHTML('beforeend', '<img src=/no onerror=\"window.owned=1\">')",
    "a style": "document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')",
    "a frame": "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"https://evil.example\">')",
    "an image from elsewhere": "document.body.insertAdjacentHTML('beforeend', "
    "'<img src=https://evil.example/x.png>')",
    "a call": "fetch('https://evil.example/')",
}


@pytest.mark.parametrize("injected", INJECTED.values(), ids=INJECTED)
def test_the_policy_stops_what_would_get_past_the_escaping(page: Page, injected: str) -> None:
    page.open("/circuits")
    page.tab.run("window.stopped = []; document.addEventListener('securitypolicyviolation', "
                 "e => window.stopped.push(e.effectiveDirective))")  # fmt: skip
    page.tab.run(injected)
    assert until(lambda: page.tab.run("return window.stopped"))
    assert page.tab.run("return typeof window.owned") == "undefined"
    assert page.tab.complaints


def test_everything_is_reached_and_done_with_the_keyboard(page: Page) -> None:
    page.tab.tell("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.open("/")
    page.press(Keys.TAB)
    assert page.focused == "To the content"
    page.press(Keys.ENTER)
    assert page.tab.run("return document.activeElement.id") == "main"
    page.press(Keys.TAB)
    assert page.focused.startswith("Copy export-ops ")
    assert page.tab.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press(Keys.ENTER)
    until(lambda: page.tab.run("return document.activeElement.textContent") == "Copied")
    copied = page.tab.driver.execute_async_script(
        "navigator.clipboard.readText().then(arguments[0], e => arguments[0](String(e)))"
    )
    assert copied == "export-ops resume worker"

    page.open("/")
    order = []
    for _ in range(8):
        page.press(Keys.TAB)
        order.append(page.focused)
    titles = [view.title for path, view in VIEWS.items() if path != "/job"]
    assert order == ["To the content", *titles, "A job's id, or part of it", "Find"]
    page.press(Keys.SHIFT + Keys.TAB, "gnp", Keys.ENTER)
    until(lambda: "/jobs?find=gnp" in page.tab.driver.current_url)
    assert page.tab.run("return document.querySelectorAll('td a.id').length") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_each_view_fits_and_is_readable(page: Page, width: int, scheme: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    try:
        page.tab.screen(width, 900, scheme)
        for path, view in VIEWS.items():
            page.open(path + (f"?id={JOBS[4]}" if path == "/job" else ""))
            assert page.tab.run("return document.documentElement.scrollWidth") <= width, path
            assert page.tab.run(FAINT) == [], path
            height = page.tab.run("return document.documentElement.scrollHeight")
            page.tab.screen(width, min(4_000, max(900, height)), scheme)
            name = f"{view.title.lower()}-{width}-{scheme}.png"
            assert page.tab.driver.save_screenshot(str(PICTURES / name))
            page.tab.screen(width, 900, scheme)
    finally:
        page.tab.screen(1280, 900, "light")


def test_what_somebody_reads_is_not_replaced_and_the_rest_is(page: Page, site: Site) -> None:
    page.open("/circuits")
    page.tab.run("document.querySelector('#live button').focus()")
    pause(site.fleet, ["orchestrator"], "while somebody looks")
    page.tab.driver.execute_async_script("refresh().then(arguments[0])")
    assert "while somebody looks" not in page.text
    page.tab.run("document.activeElement.blur()")

    def refreshed() -> bool:
        page.tab.driver.execute_async_script("refresh().then(arguments[0])")
        return "while somebody looks" in page.text

    until(refreshed)
