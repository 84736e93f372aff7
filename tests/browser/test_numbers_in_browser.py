"""No number stands on the page that is not in the record."""

import random

from looks import enliven, numbers, texts, told
from staged_run import features, labelled, record

SAMPLE = 50


def test_fifty_numbers_of_the_rendered_page_are_in_the_record(visit, shown):
    """Taken by chance (seed 0) from what a reader sees with a filter set and a page opened."""
    page = visit()
    page.wait_for_selector("html[data-ready]")
    page.locator("[data-features] select[data-filter='kind']").select_option("general")
    seen = set(numbers(texts(page)))
    page.evaluate("(hash) => { location.hash = hash; }", labelled(shown)["id"])
    page.wait_for_selector("#feature-view:visible")
    seen |= numbers(texts(page))
    known = told(shown / "report.json")
    chosen = random.Random(0).sample(sorted(seen), SAMPLE)
    assert [each for each in chosen if each not in known] == []


def test_every_number_of_the_page_and_of_every_features_page_is_in_the_record(visit, shown):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    enliven(page)
    while page.locator("[data-more]").is_visible():
        page.click("[data-more]")
    seen = numbers(texts(page))
    assert len(seen) > 500
    for own in features(shown)["pages"]:
        page.evaluate("(hash) => { location.hash = hash; }", own["id"])
        page.wait_for_selector(f"#feature-view[data-page='{own['id']}']:visible")
        seen |= numbers(page.locator("#feature-view").evaluate_all(FEATURE)[0])
    assert sorted(seen - told(shown / "report.json")) == []


FEATURE = """(all) => all.map((root) => {
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) found.push(walk.currentNode.data);
  for (const each of root.querySelectorAll("[aria-label]")) found.push(each.ariaLabel);
  return found;
})"""


def test_a_number_that_is_in_no_record_would_be_found(visit, shown):
    page = visit()
    page.evaluate("() => document.querySelector('.lead').append(' 0.1234567 ')")
    assert numbers(texts(page)) - told(shown / "report.json") == {0.1234567}


def test_the_record_has_every_feature(shown):
    assert len(features(shown)["rows"]) == 64
    assert record(shown)["format"] == 2
