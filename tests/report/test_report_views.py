"""The page and the text of a record: what may run, where a run is shown, where features are."""

import base64
import hashlib
import json
import re

import pytest
from page import Page

from studyrun_report.blocks import (
    Cell,
    Column,
    Facts,
    FeaturePage,
    Features,
    Section,
    Term,
    Terms,
    Text,
    changed,
)
from studyrun_report.views.page import html, markdown

NASTY = "</script><script>alert(1)</script><!--run:study-->\u2028"


@pytest.fixture
def facts():
    column = Column("feature", "Feature", True)
    rows = tuple((Cell(n, str(n), "", f"feature-{n}"),) for n in range(3))
    pages = (FeaturePage("feature-0", 0, NASTY),)
    block = Features("f", NASTY, (column,), rows, pages=pages, elsewhere={"feature-1": "x.html"})
    sections = (
        Section("study", "The study", (Text(NASTY), Terms((Term(NASTY, NASTY, code=True),)))),
        Section("features", "Features", (block,)),
        Section("provenance", "Provenance", (Text("seed"),)),
    )
    return Facts(NASTY, "s", NASTY, (Term("a", NASTY),), sections, "studyrun 0")


def test_only_the_pages_own_scripts_may_run(facts, files):
    """Law: what the policy allows is exactly what a browser would run, and Vega when asked for."""
    for page, many in ((html(facts, {}), 2), (files["report.html"], 3)):
        scripts = re.findall(
            r"<script(?: type=\"text/plain\" id=\"vega\")?>(.*?)</script>", page, re.S
        )
        allowed = re.search(r"script-src ([^;]*);", page)
        digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
        assert allowed[1].split() == [f"'sha256-{digest}'" for digest in digests]
        assert len(scripts) == many


def test_texts_of_others_are_data_on_the_page(facts):
    page = Page(html(facts, {}))
    kinds = [each.get("type") for each in page.of("script")]
    assert kinds == [None, "application/json", "application/json", None]
    assert page.loads == []


def test_a_page_without_figures_carries_no_vega(facts):
    assert 'id="vega"' not in html(facts, {})


def test_a_run_is_shown_at_one_place_in_either_section(facts, files):
    for section in ("study", "provenance"):
        for text in (html(facts, {}), files["report.html"]):
            assert len(re.findall(rf"(?m)^<!--run:{section}-->$", text)) == 1
            assert re.search(rf'<section id="{section}".*?<!--run:{section}-->', text, re.S)
        for text in (markdown(facts), files["report.md"]):
            assert len(re.findall(rf"(?m)^<!--run:{section}-->$", text)) == 1


def test_the_text_has_the_first_features_only(facts):
    for first in (0, 2, 50):
        listed = re.findall(r"(?m)^\| (\d) \|$", markdown(facts, first))
        assert listed == ["0", "1", "2"][:first]


def test_without_scripts_the_page_says_where_the_features_are(facts):
    assert "report.json, and the first rows in report.md" in html(facts, {})


def test_a_part_leads_home(facts):
    part = changed(facts, sections=(facts.sections[1],), summary=())
    page = Page(html(part, {}, home="../report.html"))
    assert set(page.loads) == {("a", "../report.html")}
    assert page.of("body")[0]["data-home"] == "../report.html"


def test_every_feature_of_the_record_is_in_the_pages_data(files):
    record = json.loads(files["report.json"])
    blocks = [b for s in record["sections"] for b in s["blocks"] if b["type"] == "features"]
    assert blocks
    for block in blocks:
        data = {
            name: json.loads(re.search(
                rf'data-{name}="{block["id"]}">(.*?)</script>', files["report.html"], re.S)[1])
            for name in ("rows", "pages")
        }  # fmt: skip
        assert len(data["rows"]["rows"]) == len(block["rows"])
        assert list(data["pages"]["pages"]) == [page["id"] for page in block["pages"]]
