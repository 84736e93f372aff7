"""Imports point one way, and what must stay light stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "studyrun"
PLUGINS = ROOT / "plugins"
FLOW = ["data", "models", "extract", "sae", "classify", "features", "intervene", "report"]
LAYERS = [
    {"errors", "hookspecs", "params", "suggest", "drift", "sql", "keys", "files", "lock", "machine"}
    | {"scalars", "keywords", "sqlwords", "names"},
    {"diagnostics", "artifacts", "contents", "tables", "history", "document", "words"}
    | {"columns", "places"},
    {"contracts", "models", "analysis", "edits", "sections", "saes"},
    {"source", "registry", "catalog", "plugins", "discovery", "vetting", "marks", "derived"}
    | {"syntax", "parser", "findings", "fields", "references"},
    {"study", "overrides", "drafts", "matrix", "links", "wanted"},
    {"schema", "nodes", "variants", "wiring", "wording", "conformance"},
    {"validation", "semantics", "checks", "checking", "hypotheses"},
    {"store", "progress", "events", "batches", "recipes", "reasons", "peers", "options"},
    {"plan", "context", "verdicts", "execution", "exports", "record", "queries", "rehearsal"}
    | {"estimates"},
    {"runs", "settings", "preparation", "making", "together"},
    {"comparing"},
    {"index"},
    {"runner"},
    {"launch"},
    {"testing", "laws", "attempt", "trials", "labelling", "evidence", "samples", "specimen"}
    | {"describe", "scaffold", "told", "found"},
    {"cli", "__main__"},
]
HEAVY = {
    "torch", "transformers", "polars", "numpy", "scipy", "sklearn", "tokenizers", "safetensors",
}  # fmt: skip


def imports(file: Path, *, run_time_only: bool = True) -> set[str]:
    """Modules that a file imports anywhere outside `if TYPE_CHECKING`."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and run_time_only:
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text()))
    return found


def core_files() -> list[Path]:
    return sorted(file for file in CORE.rglob("*.py") if file.name != "__init__.py")


def module_name(file: Path) -> str:
    """The noun by which a layer knows a module; the command line's modules are one room."""
    return "cli" if file.is_relative_to(CORE / "cli") else file.stem


def core_file(name: str) -> Path | None:
    """The file of a module of the core; None for a name inside one, or a folder."""
    file = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    return file if file.exists() else None


def layer_of(room: str) -> int:
    for number, names in enumerate(LAYERS):
        if room in names:
            return number
    raise AssertionError(f"studyrun/{room} stands in no layer: add it where it belongs")


@pytest.mark.parametrize("file", core_files(), ids=lambda file: str(file.relative_to(CORE)))
def test_core_imports_only_from_lower_or_equal_layers(file):
    own = layer_of(module_name(file))
    names = {name for name in imports(file) if name.startswith("studyrun.")}
    rooms = {module_name(found) for name in names if (found := core_file(name))}
    above = sorted(other for other in rooms if layer_of(other) > own)
    assert above == []


@pytest.mark.parametrize("file", core_files(), ids=lambda file: str(file.relative_to(CORE)))
def test_the_core_imports_no_plugin(file):
    plugins = {name for name in imports(file) if name.startswith("studyrun_")}
    assert plugins == set()


@pytest.mark.parametrize(
    "file", sorted(PLUGINS.rglob("*.py")), ids=lambda file: str(file.relative_to(PLUGINS))
)
def test_plugins_import_studyrun_itself_and_leftwards(file):
    room = file.relative_to(PLUGINS).parts[0].removeprefix("studyrun_")
    allowed = {f"studyrun_{name}" for name in FLOW[: FLOW.index(room) + 1]}
    names = imports(file, run_time_only=False)
    plugins = {name.split(".")[0] for name in names if name.startswith("studyrun_")}
    assert plugins - allowed == set()
    below = {
        name
        for name in names
        if name.startswith("studyrun.") and name.count(".") and core_file(name)
    }
    assert below == set(), "plugins write `from studyrun import ...` only"


@pytest.mark.parametrize("name", ["studyrun", *(f"studyrun_{room}" for room in FLOW)])
def test_importing_a_package_stays_light(name):
    code = f"import sys, {name}; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
