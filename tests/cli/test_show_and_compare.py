"""`show` and `compare` on runs of small studies, in this process."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import itertools
import json
import re
from pathlib import Path

import pytest

from studyrun.storing.files import put_file

TOY = Path(__file__).parents[1] / "run" / "toy_plugin.py"
STUDY = """\
study: toy
data: {use: toy-data}
steps:
  draws: {use: toy-draw}
  sums: {use: toy-sum, with: {k: 30}}
  report: {use: toy-report}
hypotheses:
  grows:
    claim: The sums exceed -1000.
    given: SELECT count(*) >= 4 FROM sums
    expect: SELECT max(total) > -1000 FROM sums
"""
BASE = "study: base\ndata: {use: toy-data}\nsteps: {draws: {use: toy-draw}}\n"
RUN = "outputs/toy/latest"


@pytest.fixture
def home(tmp_path, monkeypatch):
    (tmp_path / "toy.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def toy(home, studyrun):
    """The command line with the toy plugin."""
    return lambda *words: studyrun(*words, "-p", TOY)


@pytest.fixture
def ran(toy):
    """The command line, the study having been run."""
    assert toy("toy.yaml", "--quiet").code == 0
    return toy


@pytest.fixture
def matrix(toy, home):
    """The command line, the study having been run as a matrix."""
    (home / "toy.yaml").write_text(STUDY + "matrix: {steps.sums.with.k: [4, 5]}\n")
    assert toy("toy.yaml", "--quiet").code == 0
    return toy


def shown(said):
    assert (said.code, said.err) == (0, "")
    return said.out.splitlines()


# show


def test_a_run_lists_its_tables(ran):
    head, *lines = shown(ran("show", RUN))
    assert re.fullmatch(r"toy \d{8}-\d{6}: done", head)
    assert [line.split()[:3] for line in lines] == [
        ["table", "rows", "type"],
        ["data", "40", "problems"],
        ["draws", "40", "draws"],
        ["draws_sites", "2", "draws"],
        ["sums", "30", "sums"],
        ["verdicts", "1", "verdicts"],
    ]
    found = json.loads(ran("show", RUN, "--format", "json").out)
    assert found[2] == {"table": "draws_sites", "rows": 2, "type": "draws", "columns": ["site"]}


@pytest.mark.parametrize(
    "where",
    [
        "outputs/toy",
        "outputs/toy/latest/run.json",
        "outputs/toy/latest/report.html",
        "toy.yaml",
        "toy",
        "toy/latest",
        "./outputs/toy/latest",
    ],
)
def test_a_run_goes_by_any_of_its_names(ran, where):
    assert shown(ran("show", where, "sums", "--limit", "1")) == shown(
        ran("show", RUN, "sums", "--limit", "1")
    )


def test_a_study_that_extends_another_goes_by_its_own_name(toy, home):
    (home / "base.yaml").write_text(BASE)
    (home / "mine.yaml").write_text("study: mine\nextends: base.yaml\n")
    assert toy("mine.yaml", "--quiet", "--out", "elsewhere").code == 0
    assert shown(toy("show", "mine.yaml", "--out", "elsewhere"))[0].startswith("mine ")
    code, out, err = toy("show", "base.yaml", "--out", "elsewhere")
    assert (code, out) == (2, "")
    assert err == "base.yaml has no run in elsewhere; `studyrun base.yaml` makes one\n"


def test_what_is_no_run_is_said_with_what_is_near(ran):
    _, _, err = ran("show", "outputs/toi")
    assert err == "outputs/toi is not a run: there is no such folder; did you mean 'toy'?\n"
    assert (
        ran("show", "toi").err == "toi is not a run: there is no such folder; did you mean 'toy'?\n"
    )
    assert ran("show", "to.yaml").err == (
        "to.yaml is not a run: there is no such file; did you mean 'toy.yaml'?\n"
    )
    assert ran("show", "outputs").code == 2
    assert "is not a run: no run.json in it" in ran("show", "outputs").err


def test_twenty_rows_are_shown_and_the_rest_is_counted(ran):
    lines = shown(ran("show", RUN, "sums"))
    assert lines[0] == "sums: 20 of 30 rows"
    assert lines[1].split() == ["upto", "total"]
    assert [line.split()[0] for line in lines[2:22]] == [str(n) for n in range(1, 21)]
    assert lines[22:] == ["10 more (--limit)"]
    assert len(shown(ran("show", RUN, "sums", "--limit", "30"))) == 32
    assert len(json.loads(ran("show", RUN, "sums", "--format", "json").out)) == 30


def test_rows_are_chosen_by_sql_and_put_in_order(ran):
    words = ("sums", "--where", "upto > 3 AND upto <= 6", "--sort", "upto DESC", "--format", "json")
    found = json.loads(ran("show", RUN, *words).out)
    assert [row["upto"] for row in found] == [6, 5, 4]
    assert shown(ran("show", RUN, *words[:-2]))[0] == "sums: 3 rows where upto > 3 AND upto <= 6"
    words = ("data", "--where", "value IN (SELECT site FROM draws_sites)", "--format", "json")
    assert json.loads(ran("show", RUN, *words).out) == [{"value": 1}, {"value": 2}]


def test_columns_are_chosen_by_name_in_that_order(ran):
    found = ran("show", RUN, "sums", "--columns", "total, upto", "--limit", "1", "--format", "csv")
    assert next(csv.reader(io.StringIO(found.out))) == ["total", "upto"]


def test_a_type_of_artifact_stands_for_the_table_of_the_one_step_that_makes_it(ran, toy, home):
    assert shown(ran("show", RUN, "problems", "--limit", "0"))[0] == "data: 0 of 40 rows"
    more = STUDY.replace("  report:", "  others: {use: toy-sum}\n  report:")
    (home / "toy.yaml").write_text(
        more.replace("  sums:", "  firsts:").replace("FROM sums", "FROM firsts")
    )
    assert toy("toy.yaml", "--quiet").code == 0
    assert toy("show", RUN, "sums") == (
        2,
        "",
        "'sums' may be any of firsts, others; show one of them\n",
    )


def test_one_row_that_does_not_fit_is_a_list_of_its_values(ran):
    lines = shown(ran("show", RUN, "verdicts"))
    assert lines[0] == "verdicts: 1 row"
    names = [line.split()[0] for line in lines[1:]]
    assert names == ["hypothesis", "claim", "given", "expect", "verdict", "reason", "evidence"]
    assert lines[1].split() == ["hypothesis", "grows"]


def test_a_table_without_rows_says_what_it_would_hold(ran):
    lines = shown(ran("show", RUN, "sums", "--where", "upto > 99"))
    assert lines == ["sums: 0 rows where upto > 99", "  its columns: upto, total"]


WRONG = {
    "unknown table": (["sum"], "the run has no table 'sum'; did you mean 'sums'? "
                               "(without a name, all are listed)"),
    "no table": (["report"], "there is no table 'report': the step 'report' stored none"),
    "unknown column": (["sums", "--where", "totla > 0"],
                       "--where 'totla > 0': sums has no column 'totla'; did you mean 'total'?"),
    "a text in double quotes": (
        ["sums", "--where", 'upto = "four"'],
        "--where 'upto = \"four\"': sums has no column 'four' (it has upto, total); "
        "a text stands in single quotes: 'four'"),
    "unknown column to sort by": (
        ["sums", "--sort", "totla"],
        "--sort 'totla': sums has no column 'totla'; did you mean 'total'?"),
    "unknown column to show": (["sums", "--columns", "upto,totla"],
                               "--columns: sums has no column 'totla'; did you mean 'total'?"),
    "unknown function": (["sums", "--where", "meen(total) > 0"],
                         "--where 'meen(total) > 0': unsupported function 'meen'"),
    "a condition that ends too early": (
        ["sums", "--where", "total >"],
        "--where 'total >': sql parser error: Expected: an expression, found: its end"),
    "a condition without a table": (
        ["--where", "total > 0"],
        "--where, --sort, --columns and --limit are asked of a TABLE; name one"),
    "no matrix": (["sums", "--cell", "k=4"], "the run has no matrix; leave --cell out"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_shown_is_one_line_with_a_cure(ran, case):
    words, said = WRONG[case]
    assert ran("show", RUN, *words) == (2, "", f"{said}\n")


@pytest.mark.parametrize("condition", ["upto >", "upto = 1)", "upto = 'x'", "1; DROP", ")", "("])
def test_sql_that_polars_refuses_is_one_line(ran, condition):
    code, out, err = ran("show", RUN, "sums", "--where", condition)
    assert (code, out) == (2, "")
    assert err.startswith(f"--where {condition!r}: ")
    assert len(err.splitlines()) == 1


def test_a_comment_in_a_condition_takes_nothing_else_with_it(ran):
    found = ran("show", RUN, "sums", "--where", "upto = 4 -- the fourth", "--format", "json")
    assert [row["upto"] for row in json.loads(found.out)] == [4]


def test_a_step_that_failed_says_so(toy, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "toy-sum")
    assert toy("toy.yaml", "--quiet").code == 1
    assert toy("show", RUN, "sums") == (
        2,
        "",
        "there is no table 'sums': the step 'sums' (failed) stored nothing\n",
    )
    assert [line.split()[0] for line in shown(toy("show", RUN))[2:]] == [
        "data",
        "draws",
        "draws_sites",
    ]


def test_a_cell_of_a_matrix_has_to_be_chosen(matrix):
    assert shown(matrix("show", RUN))[1:] == ["cell", "k=4", "k=5"]
    assert shown(matrix("show", RUN, "sums", "--cell", "k=4"))[0] == "sums: 4 rows"
    assert shown(matrix("show", f"{RUN}/k=5", "sums"))[0] == "sums: 5 rows"
    assert shown(matrix("show", RUN, "--cell", "k=5"))[2].startswith("data ")
    there = "(cells: k=4, k=5)"
    assert matrix("show", RUN, "sums").err == (
        f"the run has a matrix; choose a cell with --cell {there}\n"
    )
    assert matrix("show", RUN, "sums", "--cell", "k=44").err == (
        f"the run has no cell 'k=44'; did you mean 'k=4'? {there}\n"
    )


# compare


def test_runs_are_compared_by_what_differs(ran, home):
    assert ran("toy.yaml", "--quiet", "--set", "steps.sums.with.k=31").code == 0
    first, second = sorted(
        path.name for path in Path("outputs/toy").iterdir() if path.name != "latest"
    )
    lines = shown(ran("compare", f"outputs/toy/{first}", "toy"))
    assert lines[0] == "2 runs compared"
    assert lines[1].split()[0] == "k"
    assert [line.split()[:2] for line in lines[2:4]] == [
        [f"toy/{first}", "30"],
        [f"toy/{second}", "31"],
    ]
    page = Path(lines[-1].removeprefix("page: "))
    assert page.parent.parent == Path("outputs/compare")
    text = page.read_text()
    assert f"../../toy/{first}/report.html" in text
    assert (page.parent / f"../../toy/{first}/report.html").exists()


def test_a_comparison_goes_where_it_is_told_and_can_be_made_again(matrix, home):
    for _ in range(2):
        lines = shown(matrix("compare", RUN, "--into", "a place/b"))
        assert lines[-1] == "page: a place/b/report.html"
    assert 'href="../../outputs/toy/' in Path("a place/b/report.html").read_text()
    assert not list(Path("a place/b").glob(".*"))


def written(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in Path(folder).rglob("*")
        if file.is_file()
    }


def test_what_an_earlier_comparison_wrote_goes_and_nothing_else(matrix):
    """Figures of parameters that no longer differ are taken away; other files are not looked at."""
    fresh = [matrix("compare", RUN, "--into", "fresh"), written("fresh")][1]
    listed = dict(
        line.split("  ")[::-1] for line in Path("fresh/files.sha256").read_text().splitlines()
    )
    assert listed.keys() == fresh.keys() - {"files.sha256"}
    old, changed, mine = (
        Path("b/figures", name) for name in ("old.svg", "changed.svg", "mine.svg")
    )
    old.parent.mkdir(parents=True)
    for file in (old, changed, mine):
        file.write_text("drawn")
    digest = hashlib.sha256(b"drawn").hexdigest()
    names = ["figures/old.svg", "figures/changed.svg", "../outside", "gone/x.svg"]
    Path("b/files.sha256").write_text("".join(f"{digest}  {name}\n" for name in names))
    Path("outside").write_text("drawn")
    changed.write_text("drawn by hand")
    assert matrix("compare", RUN, "--into", "b").code == 0
    assert Path("outside").read_text() == "drawn"
    own = {"figures/changed.svg": b"drawn by hand", "figures/mine.svg": b"drawn"}
    assert written("b") == {**fresh, **own}


@pytest.mark.parametrize("name", ["report.html", "report.md"])
def test_a_comparison_replaces_nothing_that_is_not_as_one_wrote_it(matrix, name):
    Path("a").mkdir()
    Path("a", name).write_text("mine")
    cure = "move it, or name another folder with --into\n"
    said = matrix("compare", RUN, "--into", "a")
    assert said == (2, "", f"a/{name} is not from an earlier comparison; {cure}")
    assert written("a") == {name: b"mine"}
    Path("a", name).unlink()
    assert matrix("compare", RUN, "--into", "a").code == 0
    before = {**written("a"), name: b"with notes of my own"}
    Path("a", name).write_bytes(before[name])
    said = matrix("compare", RUN, "--into", "a")
    assert said == (2, "", f"a/{name} was changed since it was written; {cure}")
    assert written("a") == before


def test_what_was_cut_short_can_be_compared_again(matrix, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("studyrun.cli.rewriting.put_file", short_of(3))
        code, _, err = matrix("compare", RUN, "--into", "a")
    assert (code, err.startswith("cannot write to a: No space left on device; ")) == (1, True)
    assert "--into" in err
    assert "report.html" not in written("a")
    assert matrix("compare", RUN, "--into", "a").code == 0
    assert matrix("compare", RUN, "--into", "b").code == 0
    assert written("a") == written("b")


def short_of(files):
    """`put_file` on a disk that has room for so many."""
    count = itertools.count()

    def put(path, content):
        if next(count) >= files:
            raise OSError(errno.ENOSPC, "No space left on device")
        put_file(path, content)

    return put


def test_a_comparison_as_json(matrix):
    found = json.loads(matrix("compare", RUN, "--format", "json").out)
    assert [row["name"] for row in found["runs"]] == ["k=4", "k=5"]
    assert [row["differences"] for row in found["runs"]] == [{"k": 4}, {"k": 5}]
    assert [row["verdicts"] for row in found["runs"]] == [{"grows": "supported"}] * 2
    assert Path(found["page"]).exists()


def test_what_cannot_be_compared_is_said(ran):
    first = Path("outputs/toy/latest").resolve()
    code, _, err = ran("compare", RUN)
    assert (code, err) == (
        2,
        "there is nothing to compare it with: give two runs, or one of a matrix\n",
    )
    assert ran("compare", RUN, "toy.yaml").err == f"{first} is given 2 times; give each once\n"
    assert ran("toy.yaml", "--quiet").code == 0
    err = ran("compare", str(first), RUN).err
    assert re.fullmatch(r"nothing differs between toy/\S+, toy/\S+: all their parameters .*\n", err)
    assert not Path("outputs/compare").exists()


def test_a_comparison_never_overwrites_a_run(matrix):
    before = Path(RUN, "report.html").read_bytes()
    code, _, err = matrix("compare", RUN, "--into", RUN)
    assert (code, err) == (2, f"{RUN} is a run's folder; name another one with --into\n")
    assert Path(RUN, "report.html").read_bytes() == before
    assert matrix("compare", RUN, "--into", "toy.yaml") == (
        2, "", "toy.yaml is a file; name a folder with --into\n")  # fmt: skip
