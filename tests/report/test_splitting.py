"""A record too large for one page, in parts: nothing lost, nothing twice."""

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strategies import features_blocks
from studyrun_report.blocks import Facts, Features, Section, Text, changed
from studyrun_report.views.splitting import split


def facts_of(*blocks):
    sections = (Section("features", "Features", (Text("Before."), *blocks)),)
    return Facts("t", "s", "about", (), sections, "studyrun 0")


def features_of(facts):
    return [block for block in facts.blocks() if isinstance(block, Features)]


def said(block):
    """Every page with its problems in place of their numbers."""
    return [
        (page.id, page.label, page.terms, page.histogram, page.tables,
         [(part.title, [(block.problems[s.problem], s.activation, s.share, s.marked)
                        for s in part.samples]) for part in page.samples])
        for page in block.pages
    ]  # fmt: skip


sizes = st.integers(1, 900)


@given(features_blocks(), sizes, sizes)
def test_every_page_is_in_exactly_one_file_with_its_problems_and_in_order(block, here, there):
    main, parts = split(facts_of(block), here, there)
    (stays,) = features_of(main)
    away = [features_of(part.facts)[0] for part in parts]
    assert [each for some in (stays, *away) for each in said(some)] == said(block)
    assert stays.rows == block.rows


@given(features_blocks(), sizes, sizes)
def test_the_page_knows_where_every_other_page_is(block, here, there):
    main, parts = split(facts_of(block), here, there)
    (stays,) = features_of(main)
    assert stays.elsewhere == {
        page.id: f"{part.name}.html" for part in parts for page in features_of(part.facts)[0].pages
    }


@given(features_blocks(), sizes, sizes)
def test_a_part_has_the_rows_of_its_pages_and_is_named_by_their_places(block, here, there):
    order = [page.id for page in block.pages]
    for part in split(facts_of(block), here, there)[1]:
        (own,) = features_of(part.facts)
        ids = [page.id for page in own.pages]
        assert [row[0].link for row in own.rows] == ids
        assert part.name == f"features/{order.index(ids[0]) + 1}-{order.index(ids[-1]) + 1}"


@given(features_blocks(), sizes, sizes)
def test_no_file_holds_more_than_allowed_unless_one_page_alone_does(block, here, there):
    main, parts = split(facts_of(block), here, there)
    for facts, limit in ((main, here), *((part.facts, there) for part in parts)):
        (own,) = features_of(facts)
        used = {s.problem for page in own.pages for part in page.samples for s in part.samples}
        pages = sum(len(msgspec.json.encode(page)) for page in own.pages)
        problems = sum(len(msgspec.json.encode(own.problems[i])) for i in used)
        assert len(own.pages) <= 1 or pages + problems <= limit


@given(features_blocks())
def test_what_fits_stays_as_it_is(block):
    facts = facts_of(block)
    assert split(facts) == (facts, ())


@given(features_blocks(), sizes)
def test_parts_of_several_labellings_do_not_share_names(block, size):
    other = changed(block, id="more-features")
    names = [part.name for part in split(facts_of(block, other), size, size)[1]]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"features/[\w-]+-\d+-\d+", name) for name in names)
