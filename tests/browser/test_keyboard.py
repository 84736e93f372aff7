"""Everything can be reached and done without a pointer, and one sees where one is."""

from staged_run import labelled

WHERE = """() => {
  const on = document.activeElement, style = getComputedStyle(on);
  return {
    id: on.id, text: on.innerText ?? "", href: on.getAttribute("href"),
    table: on.closest("[data-table]")?.dataset.table ?? "",
    column: on.closest("th")?.dataset.column ?? null,
    search: "search" in on.dataset,
    seen: style.outlineStyle !== "none" || style.boxShadow !== "none",
    inside: on.getBoundingClientRect().left >= 0,
  };
}"""
IS_OPEN = "(summary) => summary.parentElement.open"
STOPS = 4000


def stops(page, until):
    """Where Tab leads, one after the other, until the condition holds."""
    found = []
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        found.append(page.evaluate(WHERE))
        if until(found[-1]):
            return found
    raise AssertionError(f"never reached in {STOPS} stops, the last {found[-3:]}")


def test_the_first_stop_skips_to_the_content(visit):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    page.keyboard.press("Tab")
    first = page.evaluate(WHERE)
    assert "Skip" in first["text"]
    assert first["inside"]
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => !!document.activeElement.closest('main')")


def test_tab_reaches_navigation_theme_search_heads_and_a_feature(visit, shown):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    block = page.locator("[data-features]").get_attribute("data-features")
    passed = stops(page, lambda on: (on["href"] or "").startswith("#feature-"))
    hrefs = {on["href"] for on in passed}
    assert {"#verdicts", "#features", "#provenance"} <= hrefs
    assert any(on["id"] == "theme" for on in passed)
    own = [on for on in passed if on["table"] == block]
    assert any(on["search"] for on in own)
    assert {"feature", "rank", "kind"} <= {on["column"] for on in own}
    assert [on for on in passed if not on["seen"]] == []
    page.keyboard.press("Enter")
    page.wait_for_selector("#feature-view:visible")
    assert page.evaluate("() => document.activeElement.id") == "feature-title"


def test_going_back_returns_to_where_one_was(visit, shown):
    page = visit("#features")
    page.wait_for_selector("html[data-ready]")
    own = labelled(shown)["id"]
    link = page.locator(f"[data-features] a[href='#{own}']")
    link.focus()
    link.press("Enter")
    page.wait_for_selector("#feature-view:visible")
    page.go_back()
    page.wait_for_selector("body[data-view=report]")
    page.wait_for_function("() => document.activeElement !== document.body")
    assert page.evaluate(WHERE)["href"] == f"#{own}"
    assert page.locator("body").get_attribute("data-view") == "report"


def test_a_fold_is_opened_with_the_keyboard(visit):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    fold = page.locator("details:not([open]) > summary:visible").first.element_handle()
    assert not fold.evaluate(IS_OPEN)
    fold.focus()
    fold.press("Enter")
    assert fold.evaluate(IS_OPEN)
    fold.press("Enter")
    assert not fold.evaluate(IS_OPEN)


def test_tables_that_scroll_are_stops_and_have_names(visit):
    page = visit(size=(390, 844))
    page.wait_for_selector("html[data-ready]")
    unreached = page.evaluate(
        "() => [...document.querySelectorAll('.scroll')]"
        ".filter((each) => each.checkVisibility() && each.scrollWidth > each.clientWidth + 1)"
        ".filter((each) => each.tabIndex < 0 || !(each.ariaLabel"
        " || document.getElementById(each.getAttribute('aria-labelledby'))))"
        ".map((each) => each.outerHTML.slice(0, 200))"
    )
    assert unreached == []
