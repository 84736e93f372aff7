"""A page of the documentation as what it shows: files, commands, code and what they print."""

import ast
import contextlib
import io
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

from studyrun.cli import main

HOW_TO = Path(__file__).parents[2] / "docs/how-to"


@dataclass
class Page:
    """A how-to; a block whose first line is `# name.py` or `# name.yaml` is a file."""

    name: str

    def __post_init__(self):
        self.text = (HOW_TO / self.name).read_text()
        self.every = re.findall(r"```(\w+)\n(.*?)```", self.text, flags=re.DOTALL)
        self.files = {
            found[1]: text
            for _, text in self.every
            if (found := re.match(r"# (\S+\.(?:py|yaml))\n", text)) is not None
        }

    def blocks(self, language):
        """What is shown in a language and is no file."""
        shown = self.files.values()
        return [text for found, text in self.every if found == language and text not in shown]

    def done_in(self, folder):
        """The folder, with every file written and every command run, in the page's order."""
        for name, text in self.files.items():
            (folder / name).write_text(text)
        with contextlib.chdir(folder):
            for command in "".join(self.blocks("console")).splitlines():
                program, *words = shlex.split(command)
                code, out = said(*words)
                assert (program, code) == ("studyrun", 0), out
        return folder


def said(*words):
    """The exit code of a command, and what it printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = main(list(words))
    return code, out.getvalue()


def printed(code):
    """What Python code prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "page", "exec"), {})
    return out.getvalue()


def install(page, site, file, function, home, imports):
    """The page's file as an installed package: the function in a module, the rest above it.

    Args:
        page: where the file and the entry point stand.
        site: the folder of packages.
        file: its name on the page, `chains.py`.
        function: the name of its target, which moves.
        home: the module to which it moves, `studyrun_chains.concepts`.
        imports: what it needs there.
    """
    source, (package, module) = page.files[file], home.split(".")
    nodes = {getattr(node, "name", ""): node for node in ast.parse(source).body}
    moved = str(ast.get_source_segment(source, nodes[function]))
    old = f"{Path(file).stem}:{function}"
    (site / package).mkdir()
    rest = source.replace(moved, "").replace(old, f"{home}:{function}")
    (site / package / "__init__.py").write_text(rest)
    body = re.sub(r"\n    import polars as pl .*", "", moved)
    (site / package / f"{module}.py").write_text(f"import polars as pl\n{imports}\n\n\n{body}\n")
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    entries = tomllib.loads(page.blocks("toml")[0])["project"]["entry-points"]["studyrun"]
    lines = [f"{name} = {target}" for name, target in entries.items()]
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
    (info / "METADATA").write_text(metadata.replace("_", "-"))
    (info / "entry_points.txt").write_text("\n".join(["[studyrun]", *lines, ""]))
