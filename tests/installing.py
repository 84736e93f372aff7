"""Plugins installed for a test, as pip would lay them out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PREAMBLE = """
from dataclasses import dataclass
from studyrun import Component, Law, NoParams, PositiveInt, hookimpl
"""


@pytest.fixture
def clean_imports() -> Iterator[None]:
    """Forget the modules and paths that a test's plugins brought in."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and "/pytest-" in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean_imports: None
) -> Callable[..., Path]:
    """Install a distribution for real, as pip would lay it out: a module and its metadata."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(module: str, source: str, version: str = "1.0", entry: str = "") -> Path:
        file = site / f"{module}.py"
        file.write_text(PREAMBLE + source)
        info = site / f"{module}_dist-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {module}-dist\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(f"[studyrun]\n{entry or module} = {module}\n")
        return file

    return install


def pip_install(source: Path, target: Path) -> dict[str, str]:
    """Build and install a package into a folder without a network; the environment to see it."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target"]
    done = subprocess.run([*command, target, source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(target)}


def shell(*words: object, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """A process of this Python: its exit code, stdout and stderr."""
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
