"""Every feature has a page, reached by its address, by a click and by the keyboard."""

import pytest
from chromium import DESKTOP, PHONE
from looks import overflow
from staged_run import features, labelled

VIEW = "#feature-view"


@pytest.fixture
def own(shown):
    """The page of a labelled feature, as the record has it."""
    return labelled(shown)


def opened(page, identity):
    page.wait_for_selector(f"{VIEW}[data-page='{identity}']:visible")
    assert page.locator("body").get_attribute("data-view") == "feature"
    return page.locator(VIEW)


def words(text):
    return " ".join(text.split())


def test_the_address_of_a_feature_opens_its_page(visit, own):
    page = visit(f"#{own['id']}")
    view = opened(page, own["id"])
    said = words(view.inner_text())
    assert f"Feature {own['feature']}" in page.locator("#feature-title").inner_text()
    assert own["label"] in page.title()
    for part in (own["label"], own["kind"], own["evidence"], own.get("controls", "")):
        assert words(part) in said
    for term in own["terms"]:
        assert term["name"] in said
        assert words(term["shown"]) in said


def test_a_page_holds_its_histogram_its_problems_and_its_tables(visit, shown, own):
    block = features(shown)
    view = opened(visit(f"#{own['id']}"), own["id"])
    assert view.locator("[data-histogram]").count() == 1
    alt = own["histogram"]["alt"]
    assert view.locator(f'[role=img][aria-label="{alt}"]').count() == 1
    titles = view.locator("[data-samples]").evaluate_all(
        "(all) => all.map((each) => each.dataset.samples)"
    )
    assert titles == [part["title"] for part in own["samples"]]
    assert len(titles) > 1
    for part in own["samples"]:
        group = view.locator(f"[data-samples='{part['title']}']")
        for place, sample in enumerate(part["samples"]):
            problem = block["problems"][sample["problem"]]
            item = group.locator(".sample").nth(place)
            assert words(problem["question"]) in words(item.inner_text())
            steps = item.locator(".step").all()
            assert len(steps) == len(problem["steps"])
            marked = [
                at for at, step in enumerate(steps) if "marked" in step.get_attribute("class")
            ]
            assert marked == sample.get("marked", [])
    for name, rows in own["tables"].items():
        table = view.locator(f"[data-table='{own['id']}-{name}'] tbody tr")
        assert table.count() == len(rows)


def test_marked_steps_can_be_told_without_colour(visit, own):
    view = opened(visit(f"#{own['id']}"), own["id"])
    marked = view.locator("mark.step")
    assert marked.count() > 0
    assert "marked" in marked.first.text_content()


def test_a_click_opens_a_page_and_back_returns_to_the_table_as_it_stood(visit, own):
    page = visit("#features")
    page.wait_for_selector("html[data-ready]")
    page.locator("[data-features] [data-search]").fill(own["label"])
    before = page.locator("[data-features] tbody").inner_text()
    page.click(f"[data-features] a[href='#{own['id']}']")
    opened(page, own["id"])
    assert page.url.endswith(f"#{own['id']}")
    page.go_back()
    page.wait_for_selector("body[data-view=report]")
    assert page.locator(VIEW).is_hidden()
    assert page.locator("[data-features] [data-search]").input_value() == own["label"]
    assert page.locator("[data-features] tbody").inner_text() == before
    page.go_forward()
    opened(page, own["id"])


def test_the_link_back_leads_to_the_table(visit, own):
    page = visit(f"#{own['id']}")
    opened(page, own["id"]).locator("[data-back]").click()
    page.wait_for_selector("body[data-view=report]")
    assert page.locator("[data-features]").is_visible()


def test_next_and_previous_follow_the_order_of_the_table(visit, shown):
    pages = [row[0]["link"] for row in features(shown)["rows"]]
    page = visit(f"#{pages[0]}")
    assert opened(page, pages[0]).locator("[data-previous]").count() == 0
    for following in pages[1:3]:
        page.click(f"{VIEW} [data-next]")
        opened(page, following)
        assert page.url.endswith(f"#{following}")
    page.click(f"{VIEW} [data-previous]")
    opened(page, pages[1])
    assert page.url.endswith(f"#{pages[1]}")


def test_a_neighbour_is_a_link_to_its_page(visit, shown, own):
    page = visit(f"#{own['id']}")
    links = opened(page, own["id"]).locator("[data-table] a[href^='#feature']")
    assert links.count() > 0
    target = links.first.get_attribute("href")
    links.first.click()
    opened(page, target.removeprefix("#"))
    assert target != f"#{own['id']}"
    assert page.url.endswith(target)


@pytest.mark.parametrize(
    "fragment", ["#feature-99999", "#feature-", "#%E0%A4%A", "#constructor", "#__proto__", "#'\"]"]
)
def test_an_address_of_nothing_shows_the_report(visit, fragment):
    page = visit(fragment)
    page.wait_for_selector("html[data-ready]")
    assert page.locator("body").get_attribute("data-view") == "report"
    assert page.locator("section#verdicts").is_visible()


def test_from_a_page_to_an_address_of_nothing_is_the_report_again(visit, own):
    page = visit(f"#{own['id']}")
    opened(page, own["id"])
    page.evaluate("() => { location.hash = '#feature-99999'; }")
    page.wait_for_selector("body[data-view=report]")
    assert page.locator(VIEW).is_hidden()
    assert page.locator("section#verdicts").is_visible()


def test_every_feature_of_the_table_has_a_page(visit, shown):
    block = features(shown)
    page = visit()
    page.wait_for_selector("html[data-ready]")
    assert [row[0]["link"] for row in block["rows"]] == [each["id"] for each in block["pages"]]
    for own in block["pages"]:
        page.evaluate("(hash) => { location.hash = hash; }", own["id"])
        said = opened(page, own["id"]).inner_text()
        assert words(own.get("evidence", "")) in words(said)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_page_scrolls_sideways(visit, shown, size):
    page = visit(size=size)
    page.wait_for_selector("html[data-ready]")
    for own in features(shown)["pages"][::9]:
        page.evaluate("(hash) => { location.hash = hash; }", own["id"])
        opened(page, own["id"])
        assert overflow(page) == [], own["id"]
