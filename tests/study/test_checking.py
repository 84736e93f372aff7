"""Reading a study with its own plugins, and what reading costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from studyrun.diagnostics import as_text
from studyrun.errors import UsageError
from studyrun.reading.checking import check_study, load_study
from studyrun.wiring import wire

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "studies" / "layer14_pos3.yaml"
PLUGIN = """
from dataclasses import dataclass
from studyrun import Component, hookimpl

@dataclass(frozen=True)
class Nothing:
    pass

@hookimpl
def studyrun_components():
    return [Component("step", "{name}", "1", Nothing, "own_step:run", makes="nothing")]
"""


def lines(checked) -> list[str]:
    return [as_text([each]).split("\n")[0] for each in checked.diagnostics]


def study(folder: Path, plugins: str, use: str = "report") -> Path:
    file = folder / "study.yaml"
    file.write_text(f"study: s\nplugins: {plugins}\nsteps: {{a: {{use: {use}}}}}\n")
    return file


@pytest.mark.parametrize("named", ["./own_step.py", "own_step.py"])
def test_a_study_may_bring_a_plugin_from_its_folder(tmp_path, named, monkeypatch):
    monkeypatch.delitem(sys.modules, "own_step", raising=False)
    (tmp_path / "own_step.py").write_text(PLUGIN.format(name="own-step"))
    checked = check_study(study(tmp_path, f"[{named}]", "own-step"))
    assert lines(checked) == []
    assert [cell.steps[0].use.use for cell in checked.cells] == ["own-step"]


def test_a_plugin_that_is_not_there_is_a_fault_of_the_study(tmp_path):
    checked = check_study(study(tmp_path, "[./gone.py, no_such_module_at_all]"))
    first, second = lines(checked)
    assert first.startswith(
        f"{tmp_path}/study.yaml:2:11 $.plugins[0]: plugin '{tmp_path}/gone.py': no such"
    )
    assert second.startswith(
        f"{tmp_path}/study.yaml:2:22 $.plugins[1]: plugin 'no_such_module_at_all'"
    )


def test_a_broken_plugin_is_a_fault_of_the_study_that_names_it(tmp_path):
    (tmp_path / "broken_one.py").write_text("import no_such_module_at_all\n")
    first, second = lines(check_study(study(tmp_path, "[./broken_one.py]", "clamp")))
    assert "2:11 $.plugins[0]: ModuleNotFoundError: No module named" in first
    assert "3:18 $.steps.a.use: there is no step 'clamp', unless in a plugin that failed" in second


@pytest.mark.parametrize(
    "plugins", ["['']", "[' ']", "[..]", "['a b', a..b, /]", "['-']", "[1.5, null]"]
)
def test_odd_names_of_plugins_end_with_a_place(tmp_path, plugins):
    checked = check_study(study(tmp_path, plugins))
    assert lines(checked)
    assert all(line.startswith(f"{tmp_path}/study.yaml:2:") for line in lines(checked))


def test_a_module_that_was_asked_for_and_is_not_there_is_not_the_studys_fault(tmp_path):
    with pytest.raises(UsageError, match="no_such_module_at_all"):
        check_study(study(tmp_path, "[]"), modules=["no_such_module_at_all"])


def test_the_example_is_read_with_every_built_in_component():
    (cell,) = load_study(EXAMPLE)
    assert cell.name == "layer14_pos3"
    assert cell.folder == EXAMPLE.parent
    assert [step.name for step in cell.steps][:3] == ["activations", "sae", "features"]


def test_settings_change_a_study():
    (cell,) = load_study(EXAMPLE, ["steps.sae.with.k=64", "steps.swaps=", "seed=3"])
    assert cell.steps[1].use.given["k"] == 64
    assert "swaps" not in [step.name for step in cell.steps]
    assert cell.seed == 3


def test_the_verdicts_stand_before_the_report():
    from studyrun.registry import Registry

    registry = Registry.load()
    wiring = wire(load_study(EXAMPLE, registry=registry)[0], registry)
    names = [node.name for node in wiring.nodes]
    assert names[-2:] == ["verdicts", "report"]
    assert list(wiring.nodes[-1].earlier) == names[:-1]


def test_checking_imports_nothing_heavy_and_no_locale(tmp_path):
    code = (
        "import sys; from studyrun.reading.checking import check_study\n"
        f"checked = check_study({str(EXAMPLE)!r}); assert checked.cells, checked.diagnostics\n"
        "print(sorted({'torch', 'polars', 'numpy', 'scipy', 'transformers'} & set(sys.modules)))"
    )
    for mode in ("utf8=0", "utf8=1"):
        words = [sys.executable, "-X", mode, "-c", code]
        done = subprocess.run(
            words, capture_output=True, text=True, env={"LC_ALL": "C"}, check=True
        )
        assert done.stdout.strip() == "[]"


def test_text_is_read_alike_in_any_locale(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_bytes("study: s\nabout: größe 日本 🙂\nsteps: {é: {use: extract}}\n".encode())
    code = (
        "from studyrun.reading.checking import check_study\n"
        "from studyrun.diagnostics import as_json\n"
        f"print(as_json(check_study({str(file)!r}).diagnostics))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-X", mode, "-c", code],
            capture_output=True,
            env={"LC_ALL": locale},
            check=True,
        ).stdout
        for mode in ("utf8=0", "utf8=1")
        for locale in ("C", "POSIX", "C.UTF-8")
    }
    assert len(found) == 1
