"""The matrix: cells, their names, and what cannot be an axis."""

import json
import re
from math import prod

import pytest
import study_toys
from hypothesis import assume, given
from hypothesis import strategies as st

from strategies import flow_yaml, study_texts
from studyrun.diagnostics import as_text
from studyrun.reading.checking import check_study
from studyrun.reading.matrix import MAX_CELLS, expand
from studyrun.reading.parser import parse
from studyrun.source import Source

REGISTRY = study_toys.registry()


def matrix(text: str):
    return expand(parse(Source("s", f"steps: {{a: 1, b: 2}}\nmatrix:\n{text}")).root)


def check(text: str):
    return check_study(Source("s", study_toys.STUDY + text), registry=REGISTRY)


def lines_of(checked) -> list[str]:
    return [as_text([each]).split("\n")[0] for each in checked.diagnostics]


def test_every_cell_is_a_study_of_its_own():
    cells = check("matrix: {steps.sae.with.k: [2, 3], seed: [0, 1]}").cells
    assert [cell.cell for cell in cells] == ["k=2,seed=0", "k=2,seed=1", "k=3,seed=0", "k=3,seed=1"]
    assert [cell.steps[1].use.given["k"] for cell in cells] == [2, 2, 3, 3]
    assert [cell.seed for cell in cells] == [0, 1, 0, 1]
    assert cells[2].axes == {"k": 3, "seed": 0}
    assert all("matrix" not in cell.plain() for cell in cells)
    assert cells[2].plain()["cell"] == {"name": "k=3,seed=0", "axes": {"k": 3, "seed": 0}}


def test_an_axis_may_set_several_paths():
    paths = "[steps.acts.with.layers, steps.acts.with.positions]"
    cells = check(f"matrix: {{site: {{paths: {paths}, values: [[0], [1]]}}}}").cells
    assert [cell.cell for cell in cells] == ["site=0", "site=1"]
    assert cells[1].steps[0].use.given == {"layers": [1], "positions": [1]}


def test_a_value_merges_like_a_study_that_extends():
    cells = check("matrix: {steps.sae: [{with: {lr: 0.1}}, {with: {k: null, lr: 0.2}}]}")
    assert lines_of(cells) == ["s:6:19 $.steps.sae.with: missing key 'k'"]


def test_the_axes_names_are_short_but_different():
    cells, faults = matrix(
        "  steps.a.with.k: [1]\n  steps.b.with.k: [2]\n  steps.a.with.lr: [1e-3]"
    )
    assert (faults, [cell.name for cell in cells]) == ([], ["a.k=1,b.k=2,lr=0.001"])


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ("[1, 1.5, true, null]", ["1", "1.5", "true", "null"]),
        ("[[3], [3, 5], [last]]", ["3", "3+5", "last"]),
        ("[{use: a}, {use: b}]", ["v1", "v2"]),
        ("[a/b, 'a b', a_b, A_B]", ["a_b", "a_b_2", "a_b_3", "A_B_4"]),
        ("[builtin:tiny-codi, '', '..']", ["builtin_tiny-codi", "v2", ".."]),
        (f"[{'x' * 40}, v1]", ["v1", "v1_2"]),
    ],
)
def test_values_are_called_by_what_a_folder_may_be_called(values, names):
    cells, faults = matrix(f"  x: {values}")
    assert faults == []
    assert [cell.name.removeprefix("x=") for cell in cells] == names


PATHS = st.from_regex(r"[a-z]{1,3}(\.[a-z]{1,3}){0,3}", fullmatch=True)
VALUES = st.one_of(st.integers(-9, 9), study_texts, st.text(max_size=50), st.lists(study_texts))
AXES = st.dictionaries(
    PATHS, st.lists(VALUES, min_size=1, max_size=4, unique_by=json.dumps), min_size=1, max_size=4
)


@given(AXES)
def test_every_combination_is_one_cell_with_a_name_of_its_own(axes):
    """Law: the cells are the product of the axes; their names are different, safe and short."""
    root = parse(Source("s", flow_yaml({"matrix": axes}))).root
    assume(root is not None)  # a surrogate
    cells, faults = expand(root)
    assert faults == []
    names = [cell.name for cell in cells]
    assert len(cells) == prod(map(len, axes.values()))
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.,=+-]{1,200}", name) for name in names)


@pytest.mark.parametrize(("lines", "expected"), study_toys.mistakes("matrix_mistakes.txt"))
def test_what_cannot_be_an_axis(lines, expected):
    assert lines_of(check(lines["line16"])) == [f"s:{expected}"]


def test_a_matrix_is_bounded():
    (line,) = lines_of(
        check(f"matrix: {{seed: {list(range(100))}, steps.sae.with.k: [1, 2, 3, 4, 5, 6]}}")
    )
    assert line == f"s:16:1 $.matrix: the matrix has more than {MAX_CELLS} cells"


def test_a_fault_that_all_cells_share_is_told_once():
    broken = study_toys.STUDY.replace("n: 20", "n: 0") + "matrix: {seed: [0, 1, 2]}"
    assert lines_of(check_study(Source("s", broken), registry=REGISTRY)) == [
        "s:3:32 $.data.with.n: must be at least 1, not 0"
    ]


def test_a_broken_matrix_hides_no_other_fault():
    broken = study_toys.STUDY.replace("n: 20", "n: 0") + "matrix: {seed: 3}"
    assert [
        line.split()[1] for line in lines_of(check_study(Source("s", broken), registry=REGISTRY))
    ] == [
        "$.data.with.n:",
        "$.matrix.seed:",
    ]


def test_a_matrix_may_fill_in_what_the_study_leaves_out():
    without = study_toys.STUDY.replace(", with: {k: 4}", "")
    checked = check_study(
        Source("s", without + "matrix: {steps.sae.with.k: [1, 2]}"), registry=REGISTRY
    )
    assert lines_of(checked) == []
    assert len(checked.cells) == 2
