"""The colours: apart for every reader, and the same kind always the same."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyrun_report.drawing.palette import (
    KINDS,
    OTHER_KINDS,
    PAGE,
    SCALE,
    TWO_SIDED,
    kind_colours,
    ordered,
    style,
    variables,
)

VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
"""Machado, Oliveira and Fernandes 2009, severity 1, over linear RGB."""
TO_LMS = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
          [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
TO_LAB = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
          [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip


def linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def oklab(light):
    """Ottosson 2020: distances there are about as large as they look."""
    return np.array(TO_LAB) @ np.cbrt(np.array(TO_LMS) @ np.clip(light, 0, 1))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISION)
def test_any_two_kinds_look_apart_to_everybody(vision, theme):
    """Law: known kinds are at least 0.07 apart in OKLab, also for colour-blind readers."""
    seen = {
        kind: oklab(np.array(VISION[vision]) @ linear(getattr(tone, theme)))
        for kind, tone in KINDS.items()
    }
    near = {
        (a, b): round(float(np.linalg.norm(seen[a] - seen[b])), 3)
        for a, b in combinations(seen, 2)
        if np.linalg.norm(seen[a] - seen[b]) < 0.07
    }
    assert near == {}


def test_labels_stand_out_from_the_paper():
    """Law: every kind that is a label has a contrast of 3 at least to white, 2.5 to a dark page."""
    weights, paper = np.array([0.2126, 0.7152, 0.0722]), linear("#14181c")
    for kind, tone in KINDS.items():
        if kind in ("general", "insufficient", "unknown"):
            continue
        assert 1.05 / (weights @ linear(tone.light) + 0.05) >= 3, kind
        assert (weights @ linear(tone.dark) + 0.05) / (weights @ paper + 0.05) >= 2.5, kind


@given(st.lists(st.sampled_from([*KINDS, "mood", "weather", "b", "c", "d"]), unique=True))
def test_a_known_kind_has_its_own_colour_whatever_stands_beside_it(kinds):
    colours = dict(zip(kinds, kind_colours(kinds), strict=True))
    assert {kind: colour for kind, colour in colours.items() if kind in KINDS} == {
        kind: KINDS[kind].light for kind in kinds if kind in KINDS
    }
    others = [colour for kind, colour in colours.items() if kind not in KINDS]
    turns = [tone.light for tone in OTHER_KINDS]
    assert others == (turns * 2)[: len(others)]


@given(st.lists(st.sampled_from([*KINDS, "mood", "weather"])))
def test_what_is_no_label_stands_last_and_nothing_is_lost(kinds):
    found = ordered(kinds)
    assert sorted(found) == sorted(set(kinds))
    silent = [kind in ("general", "insufficient", "unknown") for kind in found]
    assert silent == sorted(silent)


def test_every_variable_that_a_picture_uses_has_a_value_in_both_themes():
    """Law: once for the light page, twice for the dark one: as the system prefers, as chosen."""
    sheet = style()
    own = set(variables().values())
    assert len(own) == len(variables())
    assert {sheet.count(f" {name}: #") for name in own} == {3}


def test_the_readers_choice_goes_before_the_systems():
    light, system, chosen = style().splitlines()
    assert light.startswith(":root {")
    assert system.startswith(
        "@media screen and (prefers-color-scheme: dark) { :root:not([data-theme=light])"
    )
    assert chosen.startswith("@media screen { :root[data-theme=dark]")
    assert system.split("{ color-scheme")[1] == chosen.split("{ color-scheme")[1]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_texts_and_fields_can_be_read(theme):
    """Law (WCAG 2.2): 4.5 to 1 for text on everything it stands on, 3 to 1 for a field's border."""
    colour = {name: getattr(tone, theme) for name, tone in PAGE.items()}
    grounds = ["--paper", "--raised", "--hover"]
    for ground in grounds:
        for text in ("--ink", "--muted", "--accent", "--supported", "--refuted", "--inconclusive"):
            assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    assert contrast(colour["--ink"], colour["--mark"]) >= 4.5
    assert contrast(colour["--accent"], colour["--mark"]) >= 4.5
    assert contrast(colour["--field"], colour["--paper"]) >= 3


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_steps_of_a_scale_grow_away_from_the_paper(theme):
    """Law: more is further from the paper; of two sides both ends are furthest."""
    paper = getattr(PAGE["--paper"], theme)
    away = [contrast(getattr(tone, theme), paper) for tone in SCALE]
    assert away == sorted(away)
    sides = [contrast(getattr(tone, theme), paper) for tone in TWO_SIDED]
    assert sides[3:] == sorted(sides[3:])
    assert sides[3::-1] == sorted(sides[3::-1])


def contrast(one, other):
    """As WCAG defines it."""
    first, second = (np.array([0.2126, 0.7152, 0.0722]) @ linear(each) for each in (one, other))
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)
