"""What others wrote (problems, names, claims, labels, plugins) is shown, cut short and inert."""

import csv

import pytest
from chromium import DESKTOP, PHONE
from hostile import FORMULA, hostile
from looks import enliven, overflow, texts, unfold
from staged_run import features, labelled

LONG = 4000
"""Characters of the longest text on a page: a picture told in words."""
LOADS = "img, image, iframe, object, embed, link, base, form:not(.vega-bindings:empty)"


@pytest.fixture(scope="module")
def attacked(browser, tmp_path_factory):
    return hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def open_page(watch, attacked):
    """Open the page; no dialog, no error and no request is what `watch` sees to."""

    def open_page(fragment="", **taste):
        page = watch(attacked / "report.html", fragment, **taste).page
        page.wait_for_selector("html[data-ready]")
        return page

    return open_page


def test_no_string_runs_as_a_script(open_page, attacked):
    page = open_page()
    unfold(page)
    enliven(page)
    for own in features(attacked)["pages"]:
        page.evaluate("(hash) => { location.hash = hash; }", own["id"])
        page.wait_for_selector(f"#feature-view[data-page='{own['id']}']:visible")
    assert page.evaluate("() => window.hit") is None
    assert page.locator(f"{LOADS}, [onload], [onerror]").count() == 0
    addresses = page.evaluate("() => [...document.querySelectorAll('a')].map((each) => each.href)")
    assert [each for each in addresses if not each.startswith("file:")] == []


def test_attacks_are_shown_as_they_are_written(open_page):
    said = " ".join(texts(open_page()))
    assert "</script><script>window.hit = 1; alert(1)</script>" in said
    assert "<img src=x onerror='window.hit = 2; alert(2)'>" in said
    assert "<U+202E>" in said
    assert "<U+0000>" in said


@pytest.mark.parametrize("view", ["report", "feature"])
def test_nothing_reorders_hides_or_goes_on_for_ever(open_page, attacked, view):
    page = open_page("" if view == "report" else f"#{labelled(attacked)['id']}")
    for text in texts(page):
        assert not set(text) & set("\x00\x07\x1b\u202e\u202c\u2067\u2069\u2028\ufeff")
        assert len(text) <= LONG


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_is_wider_than_the_page(open_page, attacked, size):
    page = open_page(size=size)
    unfold(page)
    assert overflow(page) == []
    for own in features(attacked)["pages"][::5]:
        page.evaluate("(hash) => { location.hash = hash; }", own["id"])
        page.wait_for_selector(f"#feature-view[data-page='{own['id']}']:visible")
        assert overflow(page) == [], own["id"]


def test_without_javascript_nothing_runs_and_nothing_is_wider_either(watch, attacked):
    for size in (DESKTOP, PHONE):
        page = watch(attacked / "report.html", size=size, javascript=False).page
        assert page.locator("script:not([type])").count() == 2
        assert page.locator("section#verdicts").is_visible()


def test_no_cell_of_a_download_is_a_formula(open_page, tmp_path):
    page = open_page()
    found = 0
    for button in page.locator("[data-csv]:visible").all():
        with page.expect_download() as waiting:
            button.click()
        waiting.value.save_as(tmp_path / "taken.csv")
        page.wait_for_timeout(120)  # chromium drops downloads beyond ten a second
        with (tmp_path / "taken.csv").open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        found += sum(FORMULA[:12] in cell for cell in cells)
        assert [cell for cell in cells if cell[:1] in "=+-@\t\r" and not _number(cell)] == []
    assert found > 0


def test_no_cell_of_a_written_csv_is_a_formula(attacked):
    written = sorted((attacked / "figures").glob("*.csv"))
    assert written
    for each in written:
        with each.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert [cell for cell in cells if cell[:1] in "=+-@\t\r" and not _number(cell)] == []


def _number(cell):
    try:
        float(cell or 0)
    except ValueError:
        return False
    return True


def test_a_million_characters_are_cut_and_counted(open_page, attacked):
    size = sum(file.stat().st_size for file in attacked.glob("report.*"))
    assert size < 12_000_000
    assert "1000000 characters in all" in (attacked / "report.json").read_text()


def test_a_drawing_on_its_own_runs_nothing(watch, attacked):
    first, *others = sorted((attacked / "figures").glob("*.svg"))
    page = watch(first).page
    for drawing in (first, *others):
        page.goto(drawing.as_uri())
        assert page.evaluate("() => document.querySelectorAll('script, foreignObject').length") == 0
