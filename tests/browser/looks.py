"""What can be read off a page as a browser has it: its texts, numbers, widths, colours, faults."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
TEXTS = """() => {
  const unread = "script, style, noscript, template, [role=status], option[value='']";
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim();
    if (text && !walk.currentNode.parentElement.closest(unread)) found.push(text);
  }
  for (const name of ["aria-label", "title", "placeholder", "alt"])
    for (const each of document.querySelectorAll(`[${name}]`)) found.push(each.getAttribute(name));
  return found;
}"""
"""Every text, one for each node, and what only assistive technology reads.

What a status says counts what the reader has chosen, which nobody knew when the facts were written.
"""
WIDER = """() => {
  const limit = document.documentElement.clientWidth + 1;
  const scrolls = (each) => {
    for (let on = each.parentElement; on && on !== document.body; on = on.parentElement)
      if (getComputedStyle(on).overflowX !== "visible") return true;
    return false;
  };
  return [...document.body.querySelectorAll("*")]
    .filter((each) => each.getBoundingClientRect().right > limit && !scrolls(each))
    .filter((each) => each.checkVisibility() && !each.closest("svg"))
    .slice(0, 5)
    .map((each) => `${each.tagName} ${each.id} ${each.className}`);
}"""
"""The elements that stick out to the right, for a failure that says where to look."""
PAPER = """() => getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number)"""
SERIOUS = ("serious", "critical")


def texts(page: Page) -> list[str]:
    """Everything that the page says, whatever is folded included."""
    found: list[str] = page.evaluate(TEXTS)
    return found


def numbers(words: list[str]) -> set[float]:
    """The numbers written in these texts."""
    return {float(each) for text in words for each in NUMBER.findall(text)}


def told(record: Path) -> set[float]:
    """Every number of the record: its values, and those within its strings."""
    content = record.read_bytes()
    plain = gzip.decompress(content) if record.suffix == ".gz" else content
    return numbers(list(_strings(json.loads(plain))))


def _strings(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, each in value.items():
                yield name
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)
        case str():
            yield value
        case int() | float():
            yield str(abs(value))


def unfold(page: Page) -> None:
    """Open everything that is folded."""
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => each.open = true)")


def enliven(page: Page) -> None:
    """Look at every figure until it is live, or has said that it cannot be."""
    for figure in page.locator("figure[data-live]:visible").all():
        figure.scroll_into_view_if_needed()
    page.wait_for_function(
        "() => ![...document.querySelectorAll('figure[data-live=no]')]"
        ".some((each) => each.checkVisibility())"
    )


def overflow(page: Page) -> list[str]:
    """What makes the page scroll sideways; empty where it does not."""
    widths = page.evaluate(
        "() => [document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
    )
    return [] if widths[0] <= widths[1] else [f"{widths[0]} > {widths[1]}", *page.evaluate(WIDER)]


def violations(page: Page) -> list[str]:
    """axe-core's serious and critical findings, with the first element of each."""
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['impact']} {each['id']} x{len(each['nodes'])}: {each['nodes'][0]['html'][:200]} "
        f"{each['nodes'][0]['failureSummary'][:300]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def lightness(page: Page) -> float:
    """Of the paper, 0 (black) to 1 (white)."""
    red, green, blue, *_ = page.evaluate(PAPER)
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
