"""Which tokens a decoder direction speaks for: the logit lens.

Source: nostalgebraist 2020, "interpreting GPT: the logit lens",
https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float
from torch import Tensor

from studyrun import Context, LogitLens
from studyrun_classify.statistics.incidence import pieces
from studyrun_features.columns import TOKENS

__all__ = ["SIDES", "tokens_of"]

SIDES = {"promoted": 1, "suppressed": -1}
AT_ONCE = 128
"""Directions whose scores of all tokens are held at once; not the runtime's batch size, on which
the last bit of a product may depend."""


def tokens_of(
    lens: LogitLens, W_dec: Float[Tensor, "d_sae d_in"], k: int, context: Context
) -> pl.DataFrame:
    """`TOKENS`: the k tokens whose scores each direction raises most, and those it lowers most.

    logit = lens(d)[token] - mean over all tokens: what softmax sees

    Raises:
        StudyError: the model's head is not known well enough.
    """
    blocks = list(pieces(len(W_dec), AT_ONCE))
    found: dict[int, dict[str, tuple[Tensor, Tensor]]] = {}

    def work(numbers: Sequence[int]) -> None:
        for number in numbers:
            found[number] = _ends(lens.unembed(W_dec[blocks[number]]), k)

    context.in_batches(work, range(len(blocks)), label="reading directions", unit="blocks")
    parts = [TOKENS.schema().to_frame().drop("token")]
    for number, block in enumerate(blocks):
        parts += [_rows(block, side, *ends) for side, ends in found[number].items()]
    return _named(pl.concat(parts), lens)


def _ends(scores: Tensor, k: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Side -> (logits, tokens), each (rows, k) on CPU."""
    scores = scores - scores.mean(dim=1, keepdim=True)
    k = min(k, scores.shape[1])
    ends = {side: scores.mul(sign).topk(k, dim=1) for side, sign in SIDES.items()}
    return {s: ((e.values * SIDES[s]).cpu(), e.indices.cpu()) for s, e in ends.items()}


def _rows(block: slice, side: str, logits: Tensor, tokens: Tensor) -> pl.DataFrame:
    n, k = logits.shape
    told = {
        "feature": np.repeat(np.arange(block.start, block.stop), k),
        "side": [side] * (n * k),
        "place": np.tile(np.arange(1, k + 1), n),
        "token_id": tokens.numpy().ravel(),
        "logit": logits.double().numpy().ravel(),
    }
    schema = TOKENS.schema()
    return pl.DataFrame(told).cast({name: schema[name] for name in told})


def _named(rows: pl.DataFrame, lens: LogitLens) -> pl.DataFrame:
    """The rows in the order of features, with the tokens' texts, each asked for once."""
    numbers = rows["token_id"].unique().sort()
    texts = pl.Series([lens.token(number) for number in numbers], dtype=pl.String)
    names = pl.DataFrame({"token_id": numbers, "token": texts})
    named = rows.sort("feature", maintain_order=True).join(
        names, on="token_id", how="left", maintain_order="left"
    )
    return named.select(*TOKENS.columns)
