"""Debian's chromium, and a page in it that keeps account of everything it does."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--font-render-hinting=none",
)
DESKTOP = (1280, 900)
PHONE = (390, 844)
PATIENCE = 60_000
"""Milliseconds that a condition may take; nothing here measures time."""
VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


def executable() -> str | None:
    """The browser: what STUDYRUN_CHROMIUM names, or the first that is installed."""
    found = (shutil.which(name) for name in NAMES)
    return os.environ.get("STUDYRUN_CHROMIUM") or next(filter(None, found), None)


@dataclass
class Watched:
    """A page, and what it did that no report may do."""

    page: Page
    folder: Path
    """Files outside it may not be asked for."""
    wrong: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Every address that was asked for, the page's own among them."""

    def __post_init__(self) -> None:
        page = self.page
        page.add_init_script(VIOLATIONS)
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("dialog", lambda dialog: (self.wrong.append("a dialog"), dialog.dismiss()))
        page.on("popup", lambda _: self.wrong.append("a new window"))
        page.on("crash", lambda _: self.wrong.append("the page crashed"))

    def _said(self, type_: str, text: str) -> None:
        if type_ in ("error", "warning", "assert"):
            self.wrong.append(f"{type_}: {text}")

    def _request(self, request: Request) -> None:
        address = request.url.split("#")[0]
        if address.startswith(("data:", "blob:")):
            return
        self.asked.append(address)
        if not address.startswith(f"{self.folder.as_uri()}/"):
            self.wrong.append(f"request: {request.method} {address[:200]}")


def context(
    browser: Browser,
    size: tuple[int, int] = DESKTOP,
    *,
    dark: bool = False,
    javascript: bool = True,
) -> BrowserContext:
    """A browser with no memory, a screen of that size, and a taste."""
    width, height = size
    made = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        java_script_enabled=javascript,
        reduced_motion="reduce",
        accept_downloads=True,
        has_touch=size == PHONE,
        is_mobile=size == PHONE,
    )
    made.set_default_timeout(PATIENCE)
    return made
