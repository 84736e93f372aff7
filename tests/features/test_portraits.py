"""The step `portraits` where there is little, where there is no model, and where signs matter."""

import polars as pl
import pytest
import torch
from feature_worlds import FRAME, SITE, Made, Modelless, acts_of, given, rows_of

from studyrun import ModelFacts, StudyError
from studyrun_features.columns import portraits
from studyrun_features.params import Portraits
from studyrun_features.portraits import run
from tiny_models import PlainContext

ACTIVE = pl.DataFrame([(0, 0, 1.0), (1, 0, -3.0), (1, 2, 2.0), (2, 0, 2.0)], FRAME, orient="row")


class Headless:
    """A third party's model, which offers no `unembed`."""

    facts = ModelFacts("headless", "", 2, 4)


class Unknown(Headless):
    """One whose head is not known well enough."""

    def unembed(self, directions):
        raise StudyError("nobody knows this head")

    def token(self, number):
        return ""


class Known(Headless):
    def unembed(self, directions):
        return directions @ torch.eye(4)

    def token(self, number):
        return "abcd"[number]


def seen(frame=ACTIVE, rows=None, d_sae=4, context=None, **params):
    rows = rows_of(3) if rows is None else rows
    W_dec = torch.randn(d_sae, 4, generator=torch.Generator().manual_seed(0))
    sae = Made({**SITE, "d_sae": d_sae}, directions=W_dec)
    context = context or Modelless()
    inputs = given(sae=sae, feature_acts=acts_of(frame, rows, d_sae))
    result = run(Portraits(**params), inputs, context)
    told = {name: table.schema() for name, table in portraits(Portraits()).items()}
    assert {name: table.schema for name, table in result.tables.items()} == told
    return result


def test_signs_are_kept_and_strength_is_without():
    result = seen()
    first = result.tables["table"].row(0, named=True)
    assert (first["min"], first["median"], first["max"], first["mean_active"]) == (-3, 1, 2, 0)
    strongest = result.tables["samples"].filter(feature=0, part="top")
    assert strongest["activation"].to_list() == [-3.0, 2.0, 1.0]
    assert result.tables["activations"].select(pl.sum("n", "n_negative")).row(0) == (4, 1)


def test_every_feature_has_a_row_and_one_that_is_never_active_only_its_direction():
    table = seen().tables["table"]
    assert table["feature"].to_list() == [0, 1, 2, 3]
    never = table.row(1, named=True)
    assert (never["n_active"], never["n_total"], never["frequency"]) == (0, 3, 0.0)
    assert {never[n] for n in ("mean_active", "min", "q25", "median", "q75", "max")} == {None}
    assert never["nearest"] is not None


def test_only_the_problems_of_the_split_are_looked_at():
    rows = rows_of(3).with_columns(split=pl.Series(["train", "validation", "train"]))
    result = seen(rows=rows, split="validation")
    assert result.tables["table"]["n_active"].to_list() == [1, 0, 1, 0]
    assert set(result.tables["samples"]["id"]) == {"p1"}
    assert result.meta["n_problems"] == 1


@pytest.mark.parametrize("d_sae", [1, 2, 8])
@pytest.mark.parametrize(
    ("rows", "params"),
    [(rows_of(3), {"split": "train"}), (rows_of(0), {}), (rows_of(3), {})],
    ids=["another split", "no problems", "nothing active"],
)
def test_where_nothing_is_active_directions_are_all_there_is(rows, params, d_sae):
    nothing = ACTIVE.clear() if not params else ACTIVE.filter(pl.col("feature") < d_sae)
    result = seen(nothing, rows, d_sae, **params)
    for name in ("histogram", "samples", "activations"):
        assert result.tables[name].is_empty()
    assert result.tables["table"]["n_active"].sum() == 0
    assert result.tables["neighbours"].height == d_sae * min(5, d_sae - 1)
    assert ("reason" in result.meta) == (not result.tables["table"]["n_total"][0])


def test_a_zero_that_is_stored_is_not_active():
    result = seen(pl.concat([ACTIVE, pl.DataFrame([(0, 3, 0.0)], FRAME, orient="row")]))
    assert result.tables["table"]["n_active"].to_list() == [3, 0, 1, 0]


@pytest.mark.parametrize(
    ("context", "params", "reason", "notes"),
    [
        (Modelless(), {}, "the study has no model", 0),
        (PlainContext(model=Headless()), {}, "headless has no `unembed`", 1),
        (PlainContext(model=Unknown()), {}, "nobody knows this head", 1),
        (PlainContext(model=Known()), {"tokens": 0}, "none were asked for", 0),
    ],
    ids=["no model", "no head", "unknown head", "not asked for"],
)
def test_without_tokens_the_reason_is_told(context, params, reason, notes):
    result = seen(context=context, **params)
    assert result.tables["tokens"].is_empty()
    assert result.meta["no_tokens"] == reason
    assert context.notes == [f"no tokens of decoder directions: {reason}"] * notes


def test_with_a_head_every_feature_has_tokens():
    result = seen(context=PlainContext(model=Known()), tokens=2)
    assert result.tables["tokens"].height == 4 * 2 * 2
    assert "no_tokens" not in result.meta


def test_the_study_s_seed_decides_what_is_drawn():
    many = pl.DataFrame([(p, 0, p + 1.0) for p in range(60)], FRAME, orient="row")
    samples = [
        seen(many, rows_of(60), 1, Modelless(seed=seed)).tables["samples"] for seed in (0, 0, 1)
    ]
    assert samples[0].equals(samples[1])
    assert not samples[0].equals(samples[2])


def test_an_sae_of_another_site_is_refused():
    sae = Made({**SITE, "position": 5, "d_sae": 4}, directions=torch.eye(4))
    with pytest.raises(StudyError, match="say with `needs` which belong together"):
        run(Portraits(), given(sae=sae, feature_acts=acts_of(ACTIVE, rows_of(3), 4)), Modelless())
