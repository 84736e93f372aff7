"""Light and dark: the reader's system decides, until the reader does; either can be read."""

import pytest
from chromium import DESKTOP, PHONE
from looks import enliven, lightness, unfold, violations
from staged_run import labelled

LIGHT, DARK = 0.9, 0.2


def ready(page):
    page.wait_for_selector("html[data-ready]")
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_paper_is_as_the_system_asks(visit, dark):
    paper = lightness(ready(visit(dark=dark)))
    assert paper < DARK if dark else paper > LIGHT


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_button_decides_against_the_system(visit, dark):
    page = ready(visit(dark=dark))
    button = page.locator("#theme")
    seen = {button.get_attribute("data-choice"): lightness(page)}
    for _ in range(2):
        button.click()
        seen[button.get_attribute("data-choice")] = lightness(page)
    assert set(seen) == {"system", "light", "dark"}
    assert seen["dark"] < DARK
    assert seen["light"] > LIGHT
    assert abs(seen["system"] - seen["dark" if dark else "light"]) < 0.01


def test_the_choice_is_remembered(visit):
    """On a busy machine chromium now and then stores nothing for a page from a file: thrice."""

    def after_a_reload():
        page = ready(visit(dark=True))
        page.locator("#theme").click()
        chosen = page.locator("#theme").get_attribute("data-choice"), lightness(page)
        page.reload()
        again = ready(page).locator("#theme").get_attribute("data-choice"), lightness(page)
        return chosen == again and chosen[0] != "system"

    assert any(after_a_reload() for _ in range(3))


def test_a_choice_that_cannot_be_stored_holds_until_the_page_is_left(visit):
    page = ready(visit())
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    page.locator("#theme").click()
    assert page.locator("#theme").get_attribute("data-choice") == "light"
    page.reload()
    assert ready(page).locator("#theme").get_attribute("data-choice") == "system"


def test_the_button_says_what_is_chosen(visit):
    button = ready(visit()).locator("#theme")
    for choice in ("system", "light", "dark", "system"):
        assert choice in button.inner_text().lower()
        button.click()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_the_report(visit, size, dark):
    page = ready(visit(size=size, dark=dark))
    unfold(page)
    enliven(page)
    assert violations(page) == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_a_features_page(visit, shown, size, dark):
    page = ready(visit(f"#{labelled(shown)['id']}", size=size, dark=dark))
    page.wait_for_selector("#feature-view:visible")
    assert violations(page) == []


def test_axe_would_find_what_cannot_be_read(visit):
    page = ready(visit())
    page.evaluate("() => { document.querySelector('.lead').style.color = '#eee'; }")
    assert any("color-contrast" in each for each in violations(page))
