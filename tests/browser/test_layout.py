"""How the page lies: pictures on one line, rows of whole pixels, a hint where a table goes on."""

from chromium import DESKTOP, PHONE


def ready(visit, size):
    page = visit(size=size)
    page.wait_for_selector("html[data-ready]")
    return page


def test_pictures_of_one_row_stand_on_one_line(visit):
    page = ready(visit, DESKTOP)
    rows = page.evaluate(
        """() => [...document.querySelectorAll(".figures")].flatMap((group) => {
          const lines = {};
          for (const figure of group.querySelectorAll("figure")) {
            const picture = figure.querySelector(".picture").getBoundingClientRect();
            (lines[figure.getBoundingClientRect().top] ??= []).push(picture.bottom);
          }
          return Object.values(lines);
        })"""
    )
    assert any(len(row) > 1 for row in rows)
    for row in rows:
        assert max(row) - min(row) < 1


def test_rows_are_whole_pixels_so_that_the_column_that_stays_meets_the_others(visit):
    page = ready(visit, PHONE)
    heights = page.evaluate(
        "() => [...document.querySelectorAll('#report tbody tr')]"
        ".map((row) => row.getBoundingClientRect().height).filter((height) => height)"
    )
    assert len(heights) > 50
    assert all(abs(height - round(height)) < 0.01 for height in heights)


def test_a_table_that_goes_on_fades_until_its_end_is_seen(visit):
    page = ready(visit, PHONE)
    fade = "(e) => parseFloat(getComputedStyle(e).getPropertyValue('--fade'))"
    cut = whole = 0
    for scroll in page.locator("#report .table > .scroll:visible").all():
        room = scroll.evaluate("(e) => e.scrollWidth - e.clientWidth")
        if room > 8:
            assert scroll.evaluate(fade) > 0
            scroll.evaluate("(e) => { e.scrollLeft = e.scrollWidth; }")
            page.wait_for_timeout(50)
            assert scroll.evaluate(fade) == 0
            cut += 1
        elif not room:
            assert scroll.evaluate(fade) == 0
            whole += 1
    assert cut
    assert whole


def test_on_a_phone_the_list_of_steps_stands_for_their_picture(visit):
    wide, narrow = ready(visit, DESKTOP), ready(visit, PHONE)
    assert wide.locator(".run-flow").is_visible()
    assert narrow.locator(".run-flow").is_hidden()
    assert narrow.locator("#run-steps").is_visible()


def test_the_picture_of_the_steps_fits_a_desktop(visit):
    page = ready(visit, DESKTOP)
    room = page.locator(".run-flow").evaluate("(e) => e.scrollWidth - e.clientWidth")
    assert room <= 0
