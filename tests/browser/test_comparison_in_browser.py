"""The page that shows runs side by side keeps what the report's page keeps."""

import pytest
from chromium import DESKTOP, PHONE
from looks import enliven, numbers, overflow, texts, told, unfold, violations


@pytest.fixture
def open_page(watch, compared):
    def open_page(**taste):
        page = watch(compared / "report.html", **taste).page
        page.wait_for_selector("html[data-ready]")
        return page

    return open_page


def test_it_loads_from_a_file_and_asks_for_nothing_else(watch, compared):
    watched = watch(compared / "report.html")
    watched.page.wait_for_load_state("networkidle")
    assert watched.asked == [(compared / "report.html").as_uri()]


def test_it_says_what_differs_between_the_runs(open_page):
    said = open_page().locator("main").inner_text()
    assert "4" in said
    assert "8" in said


def test_every_number_is_in_its_record(open_page, compared):
    page = open_page()
    enliven(page)
    seen = numbers(texts(page))
    assert len(seen) > 20
    assert sorted(seen - told(compared / "report.json")) == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_readable_everywhere(open_page, size, dark):
    page = open_page(size=size, dark=dark)
    unfold(page)
    enliven(page)
    assert overflow(page) == []
    assert violations(page) == []


def test_its_tables_are_sorted(open_page):
    page = open_page()
    button = page.locator("table[data-sortable] thead tr:last-child button").first
    button.click()
    assert button.locator("..").get_attribute("aria-sort") == "ascending"
