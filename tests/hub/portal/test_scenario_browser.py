"""What-if scenarios in a real browser: chosen by keyboard, side by side, on a narrow screen, without JavaScript."""

import pytest
from playwright.sync_api import expect

from tests.hub.portal.test_browser import enter
from tests.hub.portal.test_scenario_pages import scenarios_of

pytestmark = pytest.mark.browser


def test_two_scenarios_are_chosen_by_keyboard_and_stand_side_by_side(hub, world, tab):
    scenarios_of(world.ada)
    enter(tab, hub)
    tab.goto(f"{hub}/scenarios")
    for name in ("As it is", "Twice as large"):
        tab.get_by_label(f"Compare {name}").focus()
        tab.keyboard.press("Space")
    tab.get_by_role("button", name="Put side by side").press("Enter")
    expect(tab.get_by_role("heading", level=1)).to_have_text("Side by side")
    chart = tab.locator("#chart-p95_wait_s")
    widths = [bar.bounding_box()["width"] for bar in chart.locator("rect").all()]
    assert len(widths) == 4
    assert max(widths) > 4 * min(widths) > 0
    chart.get_by_text("Show as a table").click()
    expect(chart.get_by_role("rowheader", name="Class sme")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_a_scenario_is_wider_than_its_screen(hub, world, tab, width):
    one, other, waiting = scenarios_of(world.ada)
    enter(tab, hub)
    tab.set_viewport_size({"width": width, "height": 900})
    compare = f"/compare?ref={other.ref}&ref={one.ref}"
    for address in ("", "/new", f"/{one.ref}", f"/{waiting.ref}", compare):
        tab.goto(f"{hub}/scenarios{address}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, address
