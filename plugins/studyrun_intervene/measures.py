"""What the built-in effects measure in edited runs; light, to be known before anything runs."""

from __future__ import annotations

from studyrun import Measure

__all__ = ["MEASURES"]

MEASURES = {
    "next-token": (
        Measure("kl", "KL(clean || edited) of the answer's first token, in nats"),
        Measure("log_prob_change", "change of the right first token's log-probability, in nats"),
        Measure("rank_change", "change of the right first token's rank; 1 is the most likely one"),
    ),
    "answer": (
        Measure("answer_changed", "1 where the answer is another one, else 0"),
        Measure("answer_right_before", "1 where the clean answer is right, else 0", of="fact"),
        Measure("answer_right_after", "1 where the edited answer is right, else 0", of="fact"),
        Measure("answer_flipped", "1 where a right answer is wrong now, or the reverse, else 0"),
        Measure("answer_difference", "edited answer - clean answer, where both are numbers"),
        Measure(
            "answer_matched",
            "1 where the answer is the one that the edit should bring about, else 0",
            of="outcome",
        ),
        Measure("answer_towards", "1 where it is nearer to that one than it was", of="outcome"),
    ),
    "thoughts": (
        Measure("thoughts_shift", "mean over the edited and later thoughts of |h' - h| / |h|"),
        Measure("thoughts_turn", "mean over them of 1 - cosine(h', h)"),
        Measure("thought_shift", "|h' - h| / |h| of one thought", by_place=True),
        Measure("thought_turn", "1 - cosine(h', h) of one thought", by_place=True),
    ),
    "logit-lens": (
        Measure(
            "lens_changed", "share of the edited and later thoughts whose likeliest token changed"
        ),
        Measure(
            "lens_overlap",
            "share of the k likeliest tokens that stay, over these thoughts",
            of="fact",
        ),
        Measure(
            "thought_lens_changed", "1 where one thought's likeliest token changed", by_place=True
        ),
    ),
}
"""By effect."""
