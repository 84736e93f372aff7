"""More features than one file should hold: most have their page in a file beside it."""

import gzip
import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from chromium import DESKTOP, PHONE, context
from looks import numbers, overflow, texts, told, violations
from staged_run import features

sys.path.append(str(Path(__file__).parents[2] / "bench"))

from synthetic_report import synthetic

from studyrun_report.report import files

MANY = 1000


@pytest.fixture(scope="module")
def large(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    for name, content in files(synthetic(MANY)).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def elsewhere(large):
    """Page's id -> the file in which it stands."""
    found = features(large)["elsewhere"]
    assert found
    return found


@pytest.fixture
def away(elsewhere):
    """A feature whose page stands in another file, and that file."""
    return next(iter(elsewhere.items()))


def opened(page, file, identity):
    page.wait_for_url(f"**/{file}#{identity}")
    page.wait_for_selector(f"#feature-view[data-page='{identity}']:visible")


def test_every_feature_has_one_page_and_the_table_has_all(watch, large, elsewhere):
    here = {page["id"] for page in features(large)["pages"]}
    assert here.isdisjoint(elsewhere)
    assert len(here) + len(elsewhere) == MANY
    page = watch(large / "report.html").page
    page.wait_for_selector("html[data-ready]")
    assert page.locator("[data-features] [data-count]").inner_text() == f"{MANY} rows"


def test_a_click_leads_to_the_page_in_its_file_and_back(watch, large, away):
    identity, file = away
    number = identity.rpartition("-")[2]
    page = watch(large / "report.html").page
    page.wait_for_selector("html[data-ready]")
    page.locator("[data-features] th[data-column='feature'] button").click()
    page.locator("[data-features] [data-search]").fill(number)
    while not page.locator(f"[data-features] a[href$='#{identity}']").count():
        page.click("[data-more]")
    page.click(f"[data-features] a[href$='#{identity}']")
    opened(page, file, identity)
    page.click("a[data-home] >> visible=true")
    page.wait_for_url("**/report.html*")
    assert page.locator("section#verdicts").is_visible()


def test_the_reports_address_of_such_a_feature_forwards(watch, large, away):
    identity, file = away
    page = watch(large / "report.html", f"#{identity}").page
    opened(page, file, identity)
    assert page.url == f"{(large / file).as_uri()}#{identity}"


def test_from_one_file_to_the_next_and_to_the_report(watch, large, elsewhere):
    here = features(large)["pages"][-1]["id"]
    identity, file = next(iter(elsewhere.items()))
    page = watch(large / file, f"#{identity}", within=large).page
    opened(page, file, identity)
    page.evaluate("(hash) => { location.hash = hash; }", here)
    opened(page, "report.html", here)
    assert page.url == f"{(large / 'report.html').as_uri()}#{here}"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_such_a_file_is_as_readable_as_the_report(watch, large, away, size):
    identity, file = away
    page = watch(large / file, within=large, size=size).page
    page.wait_for_selector("html[data-ready]")
    assert overflow(page) == []
    assert violations(page) == []
    page.evaluate("(hash) => { location.hash = hash; }", identity)
    opened(page, file, identity)
    assert overflow(page) == []
    assert violations(page) == []


def record_beside(file):
    return file.with_suffix(".json.gz")


def test_its_numbers_are_in_the_record_beside_it(watch, large, away):
    identity, file = away
    page = watch(large / file, f"#{identity}", within=large).page
    opened(page, file, identity)
    assert sorted(numbers(texts(page)) - told(record_beside(large / file))) == []


def test_every_features_page_is_in_one_record(large, elsewhere):
    seen = Counter(page["id"] for page in features(large)["pages"])
    for file in set(elsewhere.values()):
        told = json.loads(gzip.decompress(record_beside(large / file).read_bytes()))
        (block,) = (block for section in told["sections"] for block in section["blocks"])
        own = [page["id"] for page in block["pages"]]
        assert [row[0]["link"] for row in block["rows"]] == own
        assert {elsewhere[each] for each in own} == {file}
        seen.update(own)
    assert seen == Counter(row[0]["link"] for row in features(large)["rows"])


def test_a_browser_that_cannot_unpack_such_a_file_says_so_and_stays(browser, large, away):
    identity, file = away
    with context(browser) as made:
        page = made.new_page()
        page.add_init_script("delete window.DecompressionStream;")
        page.goto(f"{(large / file).as_uri()}#{identity}")
        page.wait_for_selector("html[data-ready]")
        assert "cannot unpack" in page.locator("[data-problem]:visible").inner_text()
        assert page.url.endswith(f"{file}#{identity}")


def test_a_report_with_more_data_than_stands_in_a_page_plainly_works(watch, tmp_path, monkeypatch):
    monkeypatch.setattr("studyrun_report.views.page.PLAIN", 1000)
    (tmp_path / "report.html").write_bytes(files(synthetic(60))["report.html"])
    page = watch(tmp_path / "report.html", "#feature-7").page
    page.wait_for_selector("#feature-view[data-page='feature-7']:visible")
    page.locator("[data-back]").click()
    assert page.locator("[data-features] [data-count]").inner_text() == "60 rows"
    assert page.locator("script[data-packed]").count() == 0
