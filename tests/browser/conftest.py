"""A browser for each worker, one small study that is really run, and pages that are watched."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import ARGUMENTS, DESKTOP, Watched, context, executable
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

STUDY = Path(__file__).with_name("shown.yaml")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = executable()
    if path is None:
        pytest.skip("no chromium is installed; apt-get install chromium, or set STUDYRUN_CHROMIUM")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Open a page of a folder; at the end it must have done nothing that no report may do."""
    contexts: list[BrowserContext] = []
    opened: list[Watched] = []

    def watch(
        file: Path,
        fragment: str = "",
        *,
        size: tuple[int, int] = DESKTOP,
        within: Path | None = None,
        **taste: bool,
    ) -> Watched:
        contexts.append(context(browser, size, **taste))
        opened.append(Watched(contexts[-1].new_page(), within or file.parent))
        opened[-1].page.goto(f"{file.as_uri()}{fragment}")
        return opened[-1]

    yield watch
    for each in contexts:
        each.close()
    assert [told for each in opened for told in each.wrong] == []


@pytest.fixture(scope="session")
def made(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make something by studyrun's command line in a folder that the workers of a session share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shown"
    folder.mkdir(exist_ok=True)

    def made(name: str, *words: object) -> Path:
        """The folder of the report that the command says it wrote; nothing is made twice."""
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = folder / f"{name}.txt"
            if not known.exists():
                command = [sys.executable, "-m", "studyrun", *map(str, words)]
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
                page = next(line for line in done.stdout.splitlines() if line.startswith("page: "))
                known.write_text(str((folder / page.removeprefix("page: ")).resolve().parent))
        return Path(known.read_text())

    return made


@pytest.fixture(scope="session")
def shown(made: Callable[..., Path]) -> Path:
    """The folder of the study's run."""
    return made("first", STUDY)


@pytest.fixture(scope="session")
def compared(made: Callable[..., Path], shown: Path) -> Path:
    """The folder of the page that shows it beside a run with a smaller k."""
    other = made("second", STUDY, "--set", "steps.sae.with.k=4")
    return made("compared", "compare", shown, other)


@pytest.fixture
def visit(watch: Callable[..., Watched], shown: Path) -> Callable[..., Page]:
    """Open the study's page as the run's folder shows it."""
    return lambda *args, **kwargs: watch(shown / "report.html", *args, **kwargs).page
