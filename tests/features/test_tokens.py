"""The logit lens of decoder directions, block by block, against all scores at once."""

import pytest
import torch

from studyrun_features import tokens
from studyrun_features.columns import TOKENS
from studyrun_features.tokens import SIDES, tokens_of
from tiny_models import PlainContext


class Lens:
    """A head that is a matrix; says how many rows it was asked for."""

    def __init__(self, vocabulary, d, seed=0):
        self.W_U = torch.randn(vocabulary, d, generator=torch.Generator().manual_seed(seed))
        self.asked, self.texts = [], []

    def unembed(self, directions):
        self.asked.append(len(directions))
        return directions @ self.W_U.T

    def token(self, number):
        self.texts.append(number)
        return f"t{number}"


def directions(n, d=6):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_the_tokens_are_those_of_largest_and_smallest_score(n, k, monkeypatch):
    monkeypatch.setattr(tokens, "AT_ONCE", 3)
    lens, W_dec = Lens(30, 6), directions(n)
    table = tokens_of(lens, W_dec, k, PlainContext(batch_size=2))
    assert table.schema == TOKENS.schema()
    scores = W_dec @ lens.W_U.T
    scores -= scores.mean(1, keepdim=True)
    places = list(range(1, min(k, 30) + 1))
    for feature in range(n):
        for side, sign in SIDES.items():
            own = table.filter(feature=feature, side=side)
            order = (sign * scores[feature]).argsort(descending=True)[:k]
            assert own["place"].to_list() == places
            assert own["token_id"].to_list() == order.tolist()
            assert own["logit"].to_list() == pytest.approx(
                scores[feature, order].tolist(), abs=1e-5
            )
            assert own["token"].to_list() == [f"t{number}" for number in order]
    assert table["feature"].is_sorted()


def test_few_rows_are_held_at_once_and_each_text_is_asked_for_once(monkeypatch):
    monkeypatch.setattr(tokens, "AT_ONCE", 4)
    lens = Lens(12, 6)
    tokens_of(lens, directions(10), 6, PlainContext())
    assert lens.asked == [4, 4, 2]
    assert sorted(lens.texts) == sorted(set(lens.texts))


def test_what_is_added_to_all_tokens_alike_is_seen_by_nobody():
    """Softmax does not see it either."""
    plain, moved = Lens(20, 6), Lens(20, 6)
    moved.W_U = moved.W_U + torch.randn(6)
    one, other = (tokens_of(lens, directions(5), 3, PlainContext()) for lens in (plain, moved))
    assert one["token_id"].equals(other["token_id"])
    assert one["logit"].to_list() == pytest.approx(other["logit"].to_list(), abs=1e-4)
    assert (one.filter(side="promoted")["logit"] > 0).all()
    assert (one.filter(side="suppressed")["logit"] < 0).all()
