"""Features tested by being active: more of the active problems have the concept."""

from __future__ import annotations

import numpy as np
import polars as pl

from studyrun_classify.statistics.association import rates, upper_tails
from studyrun_classify.statistics.cells import Side
from studyrun_classify.statistics.stratified import (
    Tables,
    common_odds,
    expected_rate,
    normal_p,
    stratified_log_p,
)
from studyrun_classify.statistics.tests import Claims, Floats, Places, Tests, effects, nullable

__all__ = ["Presence"]

PLAIN = ("log_odds", "ci_low", "ci_high")


class Presence(Tests):
    """The exact test of two-by-two tables, stratum by stratum."""

    def _claims(self) -> Claims:
        alike, within = self.counted.of("all")
        parts = np.full(self.shape, np.nan)
        parts[:, self.cells.wholes] = stratified_log_p(within, self.level)
        return Claims(stratified_log_p(alike, self.level), parts)

    def _plain(self) -> pl.DataFrame:
        counts = self.counts("all", *self.every_pair())
        return rates(counts).select(PLAIN).with_columns(p=upper_tails(counts))

    def rough(self, side: Side) -> Floats:
        """By the normal approximation."""
        return normal_p(self.counted.of(side)[0])

    def exact(self, side: Side, features: Places, concepts: Places) -> Claims:
        """The tails of the sums over strata."""
        alike, within = self.counted.of(side)
        parts = np.full(len(features), np.nan)
        place = self.cells.place_among_wholes[concepts]
        whole = place >= 0
        parts[whole] = within.at(features[whole], place[whole]).log_tail()
        return Claims(alike.at(features, concepts).log_tail(), parts)

    def numbers(self, side: Side, features: Places, concepts: Places) -> pl.DataFrame:
        """Odds are Mantel and Haenszel's; AUROC is null."""
        tables, within = self.counted.of(side)
        alike = tables.at(features, concepts)
        parts = self._odds_within(within, features, concepts)
        frame = rates(self.counts(side, features, concepts)).with_columns(
            test=pl.lit("presence"),
            auroc=pl.lit(None, pl.Float64),
            expected_rate=nullable(expected_rate(alike)),
            **effects(common_odds(alike), parts),
        )
        return frame.drop(PLAIN)

    def _odds_within(self, within: Tables, features: Places, concepts: Places) -> Floats:
        """(pairs,) NaN where the concept has no parts."""
        odds, place = np.full(len(features), np.nan), self.cells.place_among_wholes[concepts]
        whole = place >= 0
        odds[whole] = common_odds(within.at(features[whole], place[whole])).value
        return odds
