"""Tables are sorted, searched and filtered; what is left is counted and can be taken along."""

import csv

import pytest
from staged_run import column, features, labelled, record


@pytest.fixture
def block(shown):
    return features(shown)


@pytest.fixture
def table(visit, block):
    """The wrapper of the table of features, on a page that is ready."""
    page = visit("#features")
    page.wait_for_selector("html[data-ready]")
    return page.locator(f"[data-features='{block['id']}']")


def first(cell):
    """The line of the value, without what stands below it."""
    return cell.split("\n")[0].strip()


def seen(table, at):
    """What the rows say in a column."""
    return [
        first(row) for row in table.locator(f"tbody tr > :nth-child({at + 1})").all_inner_texts()
    ]


def everything(table):
    while (more := table.locator("[data-more]")).is_visible():
        more.click()
    return table


def head(table, name):
    return table.locator(f"th[data-column='{name}']")


def value(cell):
    found = cell.get("value")
    return found if found is not None else float("inf")


def test_the_table_of_features_has_a_row_for_each(table, block):
    assert table.locator("tbody tr").count() == min(50, len(block["rows"]))
    everything(table)
    at = column(block, "feature")
    assert seen(table, at) == [row[at]["shown"] for row in block["rows"]]
    assert table.locator("[data-count]").inner_text() == f"{len(block['rows'])} rows"


@pytest.mark.parametrize("how", ["click", "Enter", "Space"])
def test_a_column_is_sorted_up_and_then_down(table, block, how):
    at = column(block, "rank")
    everything(table)
    values = [row[at]["shown"] for row in sorted(block["rows"], key=lambda row: value(row[at]))]
    button = head(table, "rank").locator("button")
    assert head(table, "rank").get_attribute("aria-sort") is None
    for direction, expected in (("ascending", values), ("descending", values[::-1])):
        if how == "click":
            button.click()
        else:
            button.focus()
            button.press(how)
        assert head(table, "rank").get_attribute("aria-sort") == direction
        everything(table)
        assert seen(table, at) == expected
        assert table.locator("th[aria-sort]").count() == 1


def test_an_ordinary_table_is_sorted_and_what_has_no_value_stays_last(visit, shown):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    checked = 0
    for each in page.locator("table[data-sortable]").all():
        if not each.is_visible():
            continue
        for at, button in enumerate(each.locator("thead tr:last-child button").all()):
            button.click()
            cells = each.locator(f"tbody tr > :nth-child({at + 1})")
            values = cells.evaluate_all("(all) => all.map((each) => each.dataset.value)")
            numbers = [float(text) for text in values if _number(text)]
            if len(numbers) == len([text for text in values if text]):
                assert numbers == sorted(numbers)
                checked += len(set(numbers)) > 1
            assert values == [text for text in values if text] + [
                text for text in values if not text
            ]
    assert checked > 10


def _number(text):
    try:
        return bool(text) and float(text) is not None
    except ValueError:
        return False


def test_a_search_leaves_the_rows_with_the_words_and_says_how_many(table, block, shown):
    word = labelled(shown)["label"]
    table.locator("[data-search]").fill(word)
    left = [row for row in block["rows"] if any(word.lower() in _text(cell) for cell in row)]
    assert 0 < len(left) < len(block["rows"])
    everything(table)
    at = column(block, "feature")
    assert set(seen(table, at)) <= {row[at]["shown"] for row in block["rows"]}
    assert {row[at]["shown"] for row in left} <= set(seen(table, at))
    count = table.locator("tbody tr").count()
    assert table.locator("[data-count]").inner_text() == f"{count} of {len(block['rows'])} rows"
    assert table.locator("[data-count]").get_attribute("role") == "status"
    table.locator("[data-clear]").click()
    assert table.locator("[data-count]").inner_text() == f"{len(block['rows'])} rows"
    assert table.locator("[data-search]").input_value() == ""


def _text(cell):
    return f"{cell['shown']} {cell.get('detail', '')}".lower()


def test_a_search_that_finds_nothing_says_so(table, block):
    table.locator("[data-search]").fill("no feature is called like that")
    assert table.locator("[data-count]").inner_text() == f"0 of {len(block['rows'])} rows"
    assert table.locator("tbody tr").count() == 1
    assert "No row" in table.locator("tbody").inner_text()


def test_a_kind_is_chosen(table, block):
    at = column(block, "kind")
    field = table.locator("select[data-filter='kind']")
    kinds = {row[at]["shown"] for row in block["rows"]}
    assert set(field.locator("option:not([value=''])").all_inner_texts()) == kinds
    for kind in sorted(kinds):
        field.select_option(kind)
        everything(table)
        assert seen(table, at) == [kind] * sum(row[at]["shown"] == kind for row in block["rows"])
    field.select_option("")
    assert table.locator("[data-count]").inner_text() == f"{len(block['rows'])} rows"


def test_every_column_that_can_be_filtered_is(table, block):
    wanted = {each["name"]: each["filter"] for each in block["columns"] if each.get("filter")}
    assert {"kind": "choice", "verdict": "choice"}.items() <= wanted.items()
    for name, how in wanted.items():
        if how == "choice":
            assert table.locator(f"select[data-filter='{name}']").count() == 1
        else:
            assert table.locator(f"[data-from='{name}']").count() == 1
            assert table.locator(f"[data-to='{name}']").count() == 1


def test_a_range_is_in_the_unit_that_is_shown(table, block):
    """5 in a column of percentages is 5 %, and the ends belong to it."""
    ranges = [column(block, c["name"]) for c in block["columns"] if c.get("filter") == "range"]
    at = next(at for at in ranges if any(row[at]["shown"].endswith("%") for row in block["rows"]))
    name = block["columns"][at]["name"]
    low, high = 5, 30
    table.locator(f"[data-from='{name}']").fill(str(low))
    table.locator(f"[data-to='{name}']").fill(f"{high}")
    everything(table)
    inside = [row[at] for row in block["rows"] if low / 100 <= value(row[at]) <= high / 100]
    assert 0 < len(inside) < len(block["rows"])
    assert seen(table, at) == [cell["shown"] for cell in inside]


def test_filters_and_search_and_order_hold_together(table, block):
    at, rank = column(block, "kind"), column(block, "rank")
    table.locator("select[data-filter='kind']").select_option("general")
    head(table, "rank").locator("button").click()
    everything(table)
    own = [row for row in block["rows"] if row[at]["shown"] == "general"]
    expected = sorted(own, key=lambda row: value(row[rank]))
    assert seen(table, rank) == [row[rank]["shown"] for row in expected]


def test_the_rows_that_are_left_are_downloaded(table, block, tmp_path):
    table.locator("select[data-filter='kind']").select_option("general")
    with table.page.expect_download() as waiting:
        table.locator("[data-csv]").click()
    waiting.value.save_as(tmp_path / "taken.csv")
    heads, *rows = csv.reader((tmp_path / "taken.csv").read_text().splitlines())
    assert heads == [each["name"] for each in block["columns"]]
    at, kind = column(block, "feature"), column(block, "kind")
    own = [row for row in block["rows"] if row[kind]["shown"] == "general"]
    assert [row[at] for row in rows] == [str(row[at]["value"]) for row in own]
    assert waiting.value.suggested_filename.endswith(".csv")


def test_every_table_of_the_record_is_there_with_its_rows(visit, shown):
    page = visit()
    page.wait_for_selector("html[data-ready]")
    for section in record(shown)["sections"]:
        for each in section["blocks"]:
            if each["type"] == "table":
                rows = page.locator(f"table#{each['id']} tbody tr")
                assert rows.count() == max(1, len(each["rows"]))
