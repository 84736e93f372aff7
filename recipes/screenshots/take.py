"""The pictures of the report in README.md, taken of a real run's page.

    python recipes/screenshots/take.py [RUN] [--to docs/images]

RUN is the folder of a finished run with labelled features; without one `studies/layer14_pos3.yaml`
is run first (a minute). Needs chromium, and the extra `test` for Playwright.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests/browser"))

from chromium import ARGUMENTS, PATIENCE, executable
from playwright.sync_api import Browser, Page, sync_playwright
from staged_run import features, labelled

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies/layer14_pos3.yaml"
LARGEST = 300_000
"""Bytes of a picture; it is taken as sharp as they allow."""
SHARPNESS = (2, 1.5, 1)
"""Pixels of the picture for one of the page."""


@dataclass(frozen=True)
class Shot:
    """One picture of the page."""

    name: str
    fragment: str = ""
    size: tuple[int, int] = (1280, 800)
    dark: bool = False


def shots(table: str, feature: str) -> tuple[Shot, ...]:
    """What README and docs/how-to/read-the-report.md show.

    Args:
        table: the id of the table of features.
        feature: the id of a feature's page.
    """
    phone = (390, 844)
    return (
        Shot("report"),
        Shot("features", f"#{table}-caption"),
        Shot("feature", f"#{feature}"),
        Shot("report-phone", size=phone),
        Shot("feature-phone", f"#{feature}", phone, dark=True),
    )


def take(browser: Browser, page: Path, shot: Shot) -> bytes:
    """The picture as PNG, as sharp as it may be.

    Raises:
        ValueError: it is too large however it is taken.
    """
    for sharpness in SHARPNESS:
        drawn = _drawn(browser, page, shot, sharpness)
        if len(drawn) <= LARGEST:
            return drawn
    raise ValueError(f"{shot.name} takes {len(drawn)} bytes; make it smaller")


def _drawn(browser: Browser, page: Path, shot: Shot, sharpness: float) -> bytes:
    width, height = shot.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=sharpness,
        color_scheme="dark" if shot.dark else "light",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    opened = context.new_page()
    opened.goto(f"{page.as_uri()}{shot.fragment}")
    _settle(opened)
    drawn = opened.screenshot(animations="disabled", caret="hide")
    context.close()
    return drawn


def _settle(page: Page) -> None:
    """Wait until nothing moves: figures in view are live, and nothing has the focus."""
    page.wait_for_selector("html[data-ready]")
    page.evaluate("() => document.activeElement?.blur()")
    page.evaluate("() => document.fonts.ready")
    page.wait_for_function(
        "() => [...document.querySelectorAll('figure[data-live=no]')].every((each) => {"
        " const {top, bottom} = each.getBoundingClientRect();"
        " return !each.checkVisibility() || top > innerHeight || bottom < 0; })"
    )


def with_run(given: Path | None, work: Callable[[Path], None]) -> None:
    """Do the work on the run that was given, or on one that is made for it."""
    if given is not None:
        return work(given)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "studyrun", str(STUDY), "--out", folder, "--quiet"]
        subprocess.run(command, check=True)
        work(Path(folder) / STUDY.stem / "latest")
    return None


def main() -> None:
    """Take all pictures and say how large they are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", nargs="?", type=Path, help="a finished run's folder")
    parser.add_argument("--to", type=Path, default=ROOT / "docs/images", help="where they go")
    options = parser.parse_args()
    if executable() is None:
        parser.error("no chromium is installed")

    def work(run: Path) -> None:
        folder = run.resolve()
        options.to.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable(), args=[*ARGUMENTS])
            for shot in shots(features(folder)["id"], labelled(folder)["id"]):
                file = options.to / f"{shot.name}.png"
                file.write_bytes(take(browser, folder / "report.html", shot))
                print(f"{file.stat().st_size / 1000:6.0f} kB  {file}")
            browser.close()

    with_run(options.run, work)


if __name__ == "__main__":
    main()
