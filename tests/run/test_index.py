"""The page over the cells of a matrix: made once, shown at the top, never in the way of a run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from toys import DOCUMENT, PLUGIN, Lab, cell, changed

from studyrun.comparing import compared
from studyrun.errors import PluginError, StudyError
from studyrun.keys import key_of
from studyrun.registry import Registry
from studyrun.running.index import Index, comparison_files
from studyrun.runs import Run

COMPARISONS = Path(__file__).with_name("mirror_plugin.py")


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path / "outputs", Registry.load([str(PLUGIN), str(COMPARISONS)]))


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """How often the comparison was called."""
    log = tmp_path / "mirror.log"
    monkeypatch.setenv("MIRROR_LOG", str(log))
    return lambda: len(log.read_text().split()) if log.exists() else 0


def matrix(path="steps.sums.with.k", values=(3, 5), document=DOCUMENT):
    return [cell(f"cell-{v}", changed(path, v, document)) for v in values]


def run_of(lab, outcome):
    record = json.loads((outcome.folder / "run.json").read_text())
    return Run(outcome.folder, record, lab.registry)


def index_of(lab, *cells, use="mirror"):
    """The index of a run of these cells, made by another comparison than the built-in one."""
    found = Index.of(run_of(lab, lab.run(*cells)), lab.registry, lab.store)
    return found and replace(found, bound=lab.registry.bind("comparison", use))


def show(index):
    notes = []
    return index.show(1.0, notes.append), notes


def test_the_run_of_a_matrix_shows_its_cells_side_by_side(lab):
    """The built-in comparison, from a run as it is."""
    outcome = lab.run(*matrix())
    page = (outcome.folder / "report.html").read_text()
    assert "cell-3/report.html" in page
    assert "cell-5/report.html" in page
    assert (outcome.folder / "comparison.json").exists()
    record = json.loads((outcome.folder / "run.json").read_text())
    assert record["warnings"] == []
    assert lab.store.manifest(record["index"]).type == "comparison"


def test_it_lies_at_the_top_with_relative_links(lab):
    index = index_of(lab, *matrix())
    show(index)
    assert (index.folder / "report.html").read_text().splitlines() == [
        """<a href="cell-3/report.html">cell-3</a> {'k': 3} 5 steps""",
        """<a href="cell-5/report.html">cell-5</a> {'k': 5} 5 steps""",
    ]
    assert (index.folder / "figures/f.svg").read_bytes() == b"<svg/>"
    assert (index.folder / "cell-3/report.html").exists()


def test_an_unchanged_matrix_is_drawn_once(lab, drawn):
    first, said = show(index_of(lab, *matrix()))
    assert said == ["comparing 2 cells"]
    again = index_of(lab, *matrix())
    (again.folder / "report.html").unlink()
    second, silent = show(again)
    assert (first, drawn(), silent) == (second, 1, [])
    assert (again.folder / "report.html").exists()


@pytest.mark.parametrize(
    "other",
    [
        matrix(values=(3, 6)),
        matrix(values=(3, 5, 7)),
        matrix(document=changed("seed", 1)),
        matrix(document=changed("about", "Something else.")),
    ],
)
def test_a_changed_matrix_is_drawn_again(lab, drawn, other):
    first, _ = show(index_of(lab, *matrix()))
    second, _ = show(index_of(lab, *other))
    assert first != second
    assert drawn() == 2


def test_another_version_or_component_has_another_key(lab):
    index = index_of(lab, *matrix())
    newer = replace(index.bound, component=replace(index.bound.component, version="2"))
    keys = {show(index)[0]}
    keys.add(_key(replace(index, bound=newer)))
    keys.add(_key(replace(index, bound=lab.registry.bind("comparison", "pageless"))))
    assert len(keys) == 3


def _key(index):
    return key_of(index._recipe())


def test_a_damaged_page_is_made_again(lab, drawn):
    index = index_of(lab, *matrix())
    key, _ = show(index)
    stored = lab.store.folder / key / "report.html"
    size = len(stored.read_bytes())
    stored.chmod(0o644)
    stored.write_bytes(b"x" * size)
    fresh = replace(index, store=lab.store)
    assert show(fresh)[0] == key
    assert drawn() == 2
    assert (index.folder / "report.html").read_text().startswith("<a href=")


@pytest.mark.parametrize(
    ("use", "fault"),
    [
        ("pageless", "made no report.html"),
        ("greedy", "made run.json, which is the run's own"),
        ("climbing", "file name '../elsewhere.html' is not a plain relative path"),
        ("wordy", "returned str, not files by name"),
        ("textual", "file 'report.html' is str, not bytes"),
    ],
)
def test_what_breaks_the_contract_is_named_and_stores_nothing(lab, use, fault):
    index = index_of(lab, *matrix(), use=use)
    before = sorted(lab.store.folder.iterdir())
    with pytest.raises(PluginError, match="mirror_plugin") as caught:
        show(index)
    assert fault in str(caught.value)
    assert sorted(lab.store.folder.iterdir()) == before
    assert json.loads((index.folder / "run.json").read_text())["study"] == "toy"


def test_what_fails_is_a_plugins_fault(lab, monkeypatch):
    monkeypatch.setenv("MIRROR_FAIL", "1")
    with pytest.raises(PluginError, match="comparison: ValueError: told to fail"):
        show(index_of(lab, *matrix()))


def test_a_comparison_that_cannot_be_used_is_a_warning_and_no_failure(tmp_path):
    """Two plugins offer it under one name, so that neither can be taken."""
    rival = tmp_path / "rival_plugin.py"
    rival.write_text(COMPARISONS.read_text().replace('("mirror", ', '("comparison", "mirror", '))
    registry = Registry.load([str(PLUGIN), str(rival)])
    outcome = Lab(tmp_path / "outputs", registry).run(*matrix())
    assert outcome.status == "done"
    record = json.loads((outcome.folder / "run.json").read_text())
    (warning,) = record["warnings"]
    assert warning.startswith("there is no page over all cells: plugin ")
    assert "comparison 'comparison' is announced by" in warning
    assert not (outcome.folder / "report.html").exists()


def test_a_cell_that_failed_is_told_of_and_has_no_page(lab):
    """Leaving it out would look as if it had never been asked for."""
    broken = cell("cell-9", changed("steps.sums", {"use": "toy-misbehave"}))
    outcome = lab.run(*matrix(), broken, keep_going=True)
    assert outcome.status == "failed"
    found = Index.of(run_of(lab, outcome), lab.registry, lab.store)
    pages = {each.name: each.page for each in found.runs}
    there = {name: f"{name}/report.html" for name in ("cell-3", "cell-5")}
    assert pages == {**there, "cell-9": ""}
    assert "cell-9" in (outcome.folder / "report.html").read_text()


def test_one_cell_or_none_with_a_page_has_nothing_beside_it(lab):
    assert index_of(lab, *matrix(values=(3,))) is None
    assert index_of(lab) is None


def test_cells_in_which_nothing_differs_have_no_page(lab):
    """Such as a matrix over what a report shows."""
    cells = [cell(name, changed("hypotheses.grows.claim", name)) for name in ("a", "b")]
    assert index_of(lab, *cells) is None


def test_a_run_without_a_page_of_its_own_can_be_compared(lab):
    """`studyrun compare` needs no report."""
    bare = {name: part for name, part in DOCUMENT.items() if name != "hypotheses"}
    bare["steps"] = {"draws": {"use": "toy-draw"}}
    runs = [run_of(lab, lab.run(changed("seed", seed, bare))) for seed in (0, 1)]
    files = comparison_files(lab.registry, compared(runs))
    assert set(files) >= {"report.html", "comparison.json"}


def test_errors_of_the_comparison_are_the_projects_own(lab):
    """An artifact that is gone is said as what it is, not as a plugin's fault."""
    outcome = lab.run(*matrix())
    run = run_of(lab, outcome)
    found = Index.of(run, lab.registry, lab.store)

    def gone(_params, compared):
        return {"report.html": compared[0].run["sums"].file("table.parquet").read_bytes()}

    for key in (run.cells["cell-3"]["sums"].key, run.record["index"]):
        (lab.store.folder / key).rename(lab.store.folder.parent / key)
    bound = replace(found.bound, load=lambda: gone)
    with pytest.raises(StudyError, match="the artifact of 'sums' is not in"):
        show(replace(found, bound=bound, registry=lab.registry))
