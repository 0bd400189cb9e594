"""The network in a real browser: by keyboard alone, without JavaScript, on a narrow screen."""

import pytest
from playwright.sync_api import expect

from fucina.hub.network.catalogue_actions import load
from fucina.network.catalogue import shipped_catalogue
from tests.hub.conftest import NOON, SETUP

pytestmark = pytest.mark.browser


@pytest.fixture
def network(hub):
    load(catalogue=shipped_catalogue(), by=SETUP, at=NOON)
    return f"{hub}/network"


def test_every_factory_on_the_map_is_reached_by_keyboard(network, tab):
    tab.goto(network)
    reached = set()
    for _ in range(60):
        tab.keyboard.press("Tab")
        pin = tab.evaluate("document.activeElement.closest('.pin')?.getAttribute('aria-label')")
        if pin:
            reached.add(pin)
    assert len(reached) == 19
    assert any("IT4LIA AI Factory, Bologna: In operation" in label for label in reached)

    tab.locator(".pin[aria-label*=Bologna]").focus()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("IT4LIA AI Factory")


def test_filters_work_without_javascript_and_stay_in_the_address(network, chromium):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(network)
    page.get_by_label("Country").select_option("SI")
    page.get_by_role("button", name="Filter").click()

    expect(page.get_by_role("heading", name="2 AI Factories")).to_be_visible()
    assert "country=SI" in page.url
    assert page.locator(".pin").count() == 2
    page.get_by_role("link", name="Show everything").click()
    expect(page.get_by_role("heading", name="19 AI Factories")).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_its_screen(network, tab, width):
    tab.set_viewport_size({"width": width, "height": 900})
    for address in (
        "",
        "/systems",
        "/services",
        "/programmes",
        "/factory/it4lia",
        "/system/lumi",
        "/programme/antennas",
    ):
        tab.goto(network + address)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, address
