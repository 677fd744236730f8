"""What all apps share: how much is fetched to open one, how it is installed, and what it says while its hub is away."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from taesan.web.apps import APPS
from tests.support.live import LiveHub

Visit = Callable[..., Page]
FETCHED_MAX_BYTES = 150_000
_FETCHED = """() => performance.getEntriesByType("navigation").concat(performance.getEntriesByType("resource"))
  .map((entry) => [entry.name, entry.transferSize])"""
_NAMED_IN_THE_PAGE = """() => [...document.querySelectorAll("head [rel=modulepreload], head script")]
  .map((element) => element.href ?? element.src)"""


@pytest.mark.parametrize("path", ["/wallet", "/wallet/insights"])
def test_a_first_visit_fetches_little_and_asks_for_all_scripts_at_once(
    live_hub: LiveHub, visit: Visit, path: str
) -> None:
    page = visit(f"{live_hub.url}{path}?lang=ko", language="ko", width=360)
    expect(page.locator(".wallets li > button")).to_be_visible()
    fetched = dict(page.evaluate(_FETCHED))
    assert len(fetched) > 10
    assert sum(fetched.values()) < FETCHED_MAX_BYTES, sorted(fetched.items(), key=lambda entry: -entry[1])[:5]
    assert {name for name in fetched if name.endswith(".js")} == set(page.evaluate(_NAMED_IN_THE_PAGE))


def test_an_app_opens_while_its_hub_is_away_and_says_so(live_hub: LiveHub, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/wallet?lang=ko", service_workers="allow", forgive="ERR_INTERNET_DISCONNECTED")
    expect(page.locator(".wallets li > button")).to_be_visible()
    page.evaluate("navigator.serviceWorker.ready")
    page.reload()  # now through the service worker, which keeps what it needs
    expect(page.locator(".wallets li > button")).to_be_visible()
    page.goto(f"{live_hub.url}/wallet?lang=en")
    expect(page.locator(".wallets li > button")).to_be_visible()
    page.context.set_offline(True)
    page.reload()
    expect(page.locator("#sign-in")).to_contain_text("The hub does not answer", timeout=40_000)
    assert page.locator("html").get_attribute("lang") == "en", "as it was asked for, not as it was kept first"
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".wallets li > button")).to_be_visible()


_LOOKS = """async () => {
  const { html, part } = await import("/static/lib/view.js");
  const { Unanswered } = await import("/static/lib/hub.js");
  const place = document.body.appendChild(document.createElement("div"));
  const seen = [];
  const asked = [];
  const load = () => new Promise((give, fail) => asked.push({ give, fail }));
  const settled = async () => {
    await new Promise((done) => setTimeout(done));
    seen.push([place.textContent, document.getElementById("told").textContent.includes("does not answer")]);
  };
  const look = part(place, load, (found) => html`${found}`);
  look();
  look();
  asked[1].give("newer");
  await settled();
  asked[0].give("older");
  await settled();
  asked[2].fail(new Unanswered());
  await settled();
  look();
  asked[3].give("well again");
  await settled();
  look();
  part(place, load, (found) => html`other ${found}`);
  asked[5].give("part");
  asked[4].give("of the part before");
  await settled();
  look();
  await settled();
  place.remove();
  return [asked.length, seen];
}"""


def test_a_part_of_a_page_shows_what_is_newest_and_takes_its_alarm_back(live_hub: LiveHub, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/wallet?lang=en")
    expect(page.locator(".wallets li > button")).to_be_visible()
    assert page.evaluate(_LOOKS) == [
        6,
        [
            ["newer", False],
            ["newer", False],
            ["newer", True],
            ["well again", False],
            ["other part", False],
            ["other part", False],
        ],
    ]


@pytest.mark.parametrize("name", APPS)
def test_each_app_can_be_installed_in_both_languages(live_hub: LiveHub, name: str) -> None:
    told = {lang: httpx.get(f"{live_hub.url}/{name}.webmanifest?lang={lang}").json() for lang in ("en", "ko")}
    assert told["en"]["short_name"] != told["ko"]["short_name"]
    for language, manifest in told.items():
        assert (manifest["display"], manifest["lang"]) == ("standalone", language)
        assert httpx.get(live_hub.url + manifest["icons"][0]["src"]).status_code == 200
    assert httpx.get(f"{live_hub.url}/none.webmanifest").status_code == 404
