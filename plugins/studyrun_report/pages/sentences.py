"""Sentences: what a label rests on, why there is none, and how its controls fared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studyrun_report.label_table import MEANINGS
from studyrun_report.writing.text import PERCENT, harmless, interval, number, probability, share

__all__ = ["controls", "evidence"]

LONGEST = 100
"""Characters of a string in a sentence."""
CONTROLS = {
    "permuted_rate": "with labels permuted it is labelled in {} of runs",
    "matched_rate": "a random feature that is active as often is labelled in {} of runs",
    "untrained_rate": "of features of the untrained model {} are labelled",
}
"""How the control in that column is said."""


def evidence(row: Mapping[str, Any]) -> str:
    """What a label rests on, or why there is none, as far as it is known.

    Args:
        row: of the labels, with odds; `label` is null where there is none.
    """
    tested = _tested(row)
    if row.get("label") is not None:
        return tested
    if row.get("n_active") == 0:
        of = f" of {row['n_total']}" if row.get("n_total") is not None else ""
        return f"It is active on none{of} problems, so there is nothing to say of it."
    if row.get("kind") is None and row.get("verdict") is None:
        return ""
    meaning = MEANINGS.get(str(row.get("verdict")), "")
    said = f"No label: {meaning.removeprefix('labelled or not ')}." if meaning else "No label."
    needed = row.get("n_needed")
    if row.get("verdict") == "insufficient" and needed is not None and row.get("n_active"):
        said = f"{said} Its {row['n_active']} active problems would have to be {needed}."
    closest = row.get("concept")
    if closest and tested:
        concept = harmless(str(closest), LONGEST)
        said = f"{said} Closest to one is {concept}: {tested[0].lower()}{tested[1:]}"
    return said


def _tested(row: Mapping[str, Any]) -> str:
    """The numbers of the concept that is most associated."""
    q = row.get("q")
    certainty = "" if q is None else f", q = {probability(q)}"
    larger = ""
    if row.get("auroc") is not None:
        larger = (
            "of two comparable problems the one with the concept has the larger activation in "
            f"{share(row['auroc'])} of pairs (odds {_odds(row)})"
        )
    if larger and row.get("test") != "probe":
        always = "It is nearly always active where it is active at all, so its strength was tested"
        return f"{always}: {larger}{certainty}."
    if row.get("rate") is None or row.get("n") is None:
        return ""
    where = f" ({harmless(str(row['evidence']), LONGEST)})" if row.get("evidence") else ""
    odds = f"; odds ratio {_odds(row)}" if row.get("odds") is not None else ""
    counts = "" if row.get("n_with") is None else f"{row['n_with']} of "
    have = f"{counts}{row['n']} active problems{where} have the concept"
    last = f"; {larger}" if larger else odds
    return f"{have} ({share(row['rate'])}){_against(row)}{last}{certainty}."


def _against(row: Mapping[str, Any]) -> str:
    if row.get("expected_rate") is not None:
        return f", against {share(row['expected_rate'])} expected of comparable problems"
    if row.get("base_rate") is not None:
        return f", against {share(row['base_rate'])} of all problems"
    return ""


def _odds(row: Mapping[str, Any]) -> str:
    if row.get("odds_low") is None:
        return number(row.get("odds"))
    between = interval(row["odds_low"], row["odds_high"])
    return f"{number(row.get('odds'))}, 95{PERCENT} interval {between}"


def controls(row: Mapping[str, Any]) -> str:
    """How the feature stands against its controls, as far as there are any."""
    said = [
        words.format(share(row[name]))
        for name, words in CONTROLS.items()
        if row.get(name) is not None
    ]
    if row.get("stability") is not None:
        again = f"in {share(row['stability'])} of SAEs with other seeds it has the same label"
        cosine = row.get("match_cosine")
        said.append(again if cosine is None else f"{again} (mean cosine {number(cosine)})")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""
