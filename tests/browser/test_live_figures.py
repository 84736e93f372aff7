"""Figures answer the pointer once they are looked at; until then, and failing that, they stand."""

import json

import pytest
from staged_run import record

STATE = "() => [...document.querySelectorAll('figure[data-live]')].map((each) => each.dataset.live)"


@pytest.fixture
def figures(shown):
    return [block for section in record(shown)["sections"] for block in section["blocks"]
            if block["type"] == "figure"]  # fmt: skip


def live(page, identity):
    figure = page.locator(f"figure#{identity}")
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(f"figure#{identity}:not([data-live=no])")
    return figure


def test_no_figure_is_live_before_it_is_looked_at(visit, figures):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    assert len(figures) > 3
    assert page.evaluate(STATE).count("no") >= len(figures) - 2


def test_every_figure_becomes_live_and_says_the_same(visit, figures):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    for block in figures:
        figure = live(page, block["id"])
        why = figure.get_attribute("data-why")
        assert figure.get_attribute("data-live") == "yes", f"{block['id']}: {why}"
        texts = figure.locator(".picture svg text").all_text_contents()
        assert sorted(filter(None, texts)) == sorted(filter(None, block["texts"]))
        assert figure.locator(f'[role=img][aria-label="{block["alt"]}"]').count() == 1
        assert figure.locator("svg").count() == 1


def test_a_mark_tells_its_row_of_the_record(visit, figures):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    told = 0
    for block in figures:
        figure = live(page, block["id"])
        rows = [row for rows in block["spec"].get("datasets", {}).values() for row in rows]
        known = {v if isinstance(v, str) else json.dumps(v) for row in rows for v in row.values()}
        marks = figure.locator(".mark-rect path, .mark-symbol path, .mark-bar path")
        if not marks.count():
            continue
        marks.first.hover(force=True)
        if page.locator("#tooltip").is_hidden():
            continue
        values = page.locator("#tooltip dd").all_inner_texts()
        assert [each for each in values if not _known(each, known)] == []
        told += 1
    assert told > 2


def _known(text, known):
    if text in known:
        return True
    try:
        return float(text) in {float(each) for each in known if _is_number(each)}
    except ValueError:
        return False


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_the_data_and_the_drawing_of_a_figure_are_downloaded(visit, figures, tmp_path):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    for words, beginning in (("CSV", ""), ("SVG", "<svg")):
        with page.expect_download() as waiting:
            page.locator(f"figure#{figures[0]['id']}").get_by_role("button", name=words).click()
        waiting.value.save_as(tmp_path / words)
        text = (tmp_path / words).read_text()
        assert text.startswith(beginning)
        assert len(text) > 40
        assert "var(" not in text


def test_figures_follow_the_theme(visit, figures):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    figure = live(page, figures[0]["id"])
    colours = "(each) => [...each.querySelectorAll('text')].map((t) => getComputedStyle(t).fill)"
    light = set(figure.evaluate(colours))
    page.click("#theme")
    page.click("#theme")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert set(figure.evaluate(colours)).isdisjoint(light)
