"""The page opens from a file, asks nobody for anything, and says everything without a script."""

import re

import pytest
from chromium import DESKTOP, PHONE, Watched, context
from looks import overflow, texts, unfold
from staged_run import record

A4 = (718, 1000)
"""Pixels within the margins."""


def test_it_loads_from_a_file_and_asks_for_nothing_else(watch, shown):
    watched = watch(shown / "report.html")
    watched.page.wait_for_selector("html[data-ready]")
    watched.page.wait_for_load_state("networkidle")
    assert watched.asked == [(shown / "report.html").as_uri()]


def test_a_request_an_error_and_a_dialog_would_be_seen(browser, tmp_path):
    """The account that all these tests rest on is really kept."""
    policy = '<meta http-equiv="Content-Security-Policy" content="img-src \'none\'">'
    script = (
        "alert(1); console.error('told'); new Image().src = 'x.png'; fetch('http://[::1]/x');"
        "throw Error('thrown')"
    )
    (tmp_path / "bad.html").write_text(f"<!doctype html>{policy}<script>{script}</script>")
    with context(browser) as made:
        watched = Watched(made.new_page(), tmp_path)
        watched.page.goto((tmp_path / "bad.html").as_uri())
        watched.page.wait_for_load_state("networkidle")
    seen = "\n".join(watched.wrong)
    for each in ("a dialog", "error: told", "policy: img-src", "request: GET http", "thrown"):
        assert each in seen


def test_every_section_of_the_record_is_on_the_page_and_in_its_navigation(visit, shown):
    page = visit()
    for section in record(shown)["sections"]:
        assert page.locator(f"section#{section['id']} > h2").inner_text() == section["title"]
        link = page.locator(f"nav[aria-label=Sections] a[href='#{section['id']}']")
        assert link.inner_text() == section["title"]


def test_a_section_is_reached_by_its_link_and_marked_as_the_current_one(visit):
    page = visit()
    page.click("nav[aria-label=Sections] a[href='#quality']")
    page.wait_for_selector("nav a[href='#quality'][aria-current=true]")
    section = page.locator("section#quality")
    assert abs(section.evaluate("(each) => each.getBoundingClientRect().top")) < 200
    current = page.locator("nav [aria-current]")
    assert current.evaluate_all("(all) => all.map((each) => each.hash)") == ["#quality"]


def test_the_verdicts_stand_first_with_claim_query_and_evidence(visit, shown):
    page = visit()
    assert page.locator("main section").first.get_attribute("id") == "verdicts"
    told = page.locator("section#verdicts").inner_text()
    (block,) = record(shown)["sections"][0]["blocks"]
    assert {each["verdict"] for each in block["verdicts"]} == {
        "supported", "refuted", "inconclusive",
    }  # fmt: skip
    for verdict in block["verdicts"]:
        for part in ("hypothesis", "claim", "expect", "evidence", "verdict"):
            assert verdict.get(part, "") in told


def test_the_run_that_shows_the_page_is_told_step_by_step(visit, shown):
    steps = record(shown)["run"]["steps"]
    assert {each["step"] for each in steps} >= {"data", "sae", "labels", "ablation", "report"}
    said = visit().locator("section#study").inner_text()
    for step in steps:
        assert step["step"] in said
        assert step["took"] in said


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_makes_the_report_scroll_sideways(visit, size):
    page = visit(size=size)
    page.wait_for_selector("html[data-ready]")
    unfold(page)
    assert overflow(page) == []


def test_without_javascript_the_page_still_says_verdicts_and_tables(visit, shown):
    page = visit(javascript=False)
    body = page.locator("body").inner_text()
    for section in record(shown)["sections"]:
        assert section["title"] in body
        for block in section["blocks"]:
            if block["type"] == "verdicts":
                assert all(each["claim"] in body for each in block["verdicts"])
            if block["type"] == "table" and not block.get("folded"):
                for row in block["rows"]:
                    assert " ".join(row[0]["shown"].split()) in " ".join(body.split())
    assert "need JavaScript" in body
    assert page.locator("#theme").is_hidden()
    assert page.locator("figure .picture svg").count() == page.locator("figure").count()


def test_it_prints_with_every_section(visit, tmp_path):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    seen = page.evaluate(
        "() => [...document.querySelectorAll('main section > h2')]"
        ".filter((each) => each.checkVisibility()).map((each) => each.textContent)"
    )
    assert seen == page.locator("main #report section > h2").all_text_contents()
    assert len(seen) > 5
    assert page.locator("nav[aria-label=Sections]").is_hidden()
    assert page.locator("#theme").is_hidden()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) > 1


def test_on_paper_nothing_is_so_wide_that_all_must_shrink_much(visit):
    """Chromium makes the whole print smaller until the widest table fits."""
    page = visit(size=A4)
    page.wait_for_selector("html[data-ready]")
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    widest = page.evaluate("() => document.scrollingElement.scrollWidth")
    assert widest <= 1.34 * A4[0]


def test_the_dark_taste_does_not_make_dark_paper(visit):
    page = visit(dark=True)
    page.emulate_media(media="print", color_scheme="dark")
    assert "rgb(255, 255, 255)" in page.evaluate(
        "() => getComputedStyle(document.body).backgroundColor"
    )


def test_no_text_is_left_unwritten(visit):
    for text in texts(visit()):
        assert not re.search(r"\[object|\bNaN\b", text), text


def test_the_run_is_told_of_with_the_command_that_repeats_it(visit, shown):
    page = visit()
    assert page.locator("section#study #run-steps tbody tr").count() == len(
        record(shown)["run"]["steps"]
    )
    terms = page.locator("section#provenance #run-terms")
    told = dict(
        zip(
            terms.locator("dt").all_inner_texts(),
            terms.locator("dd").all_inner_texts(),
            strict=True,
        )
    )
    assert told["Command"].startswith("studyrun ")
    assert {"Started", "Machine", "Versions", "Plugins"} <= told.keys()
