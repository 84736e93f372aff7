"""The laws of interventions and of classifiers: each a sentence that is put to one example.

The first line of a law's docstring is the sentence, as a failure prints it. I is the intervention,
z the feature activations (rows, d_sae), S and T sets of features; C is the classifier, e what it is
given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from studyrun.trying.labelling import Labelling
    from studyrun.trying.trials import Trial

__all__ = ["CLASSIFIER_LAWS", "LAWS", "UNIVERSAL", "UNIVERSAL_OF_CLASSIFIERS", "LawBroken"]


class LawBroken(AssertionError):  # noqa: N818  # what pytest reports should read as a sentence
    """A law does not hold; `law`, `component` and `example` say which, whose and where."""

    def __init__(self, law: str, component: str, sentence: str, example: dict[str, Any]) -> None:
        self.law, self.component, self.example = law, component, example
        shown = "\n".join(f"    {name} = {value!r}" for name, value in example.items())
        super().__init__(
            f"{component} breaks the law {law}: {sentence}\n  smallest example found:\n{shown}"
        )


def shape_and_dtype(trial: Trial) -> None:
    """I(z, S) has z's shape and z's dtype."""
    found = trial.apply()
    trial.expect(
        (found.shape, found.dtype) == (trial.z.shape, trial.z.dtype),
        found=(tuple(found.shape), found.dtype),
        expected=(tuple(trial.z.shape), trial.z.dtype),
    )


def input_unchanged(trial: Trial) -> None:
    """I(z, S) leaves z and S as they were."""
    z, features = trial.z.clone(), trial.features.clone()
    trial.apply()
    trial.equal(trial.z, z, exactly=True)
    trial.equal(trial.features, features, exactly=True)


def repeatable(trial: Trial) -> None:
    """I(z, S) = I(z, S): the same input gives the same result."""
    trial.equal(trial.apply(), trial.apply(), exactly=True)


def others_untouched(trial: Trial) -> None:
    """I(z, S) = z in every column outside S."""
    others = trial.others()
    trial.equal(trial.apply()[:, others], trial.z[:, others], exactly=True)


def rows_independent(trial: Trial) -> None:
    """I(rows above, S) and I(rows below, S) together are I(z, S): batching commutes."""
    cut = trial.draw_row()
    above, below = trial.apply(trial.z[:cut]), trial.apply(trial.z[cut:])
    trial.equal(trial.concatenated(above, below), trial.apply())


def features_are_a_set(trial: Trial) -> None:
    """I(z, S) does not depend on the order of S, nor on repetitions in it."""
    trial.equal(trial.apply(features=trial.shuffled()), trial.apply())


def reconstruction_difference(trial: Trial) -> None:
    """x_hat(I(z, S)) - x_hat(z) = sum over f in S of (I(z, S) - z)_f W_dec[f]."""
    W_dec, b_dec, after = trial.decoder(), 0.5, trial.apply().double()
    z, edited = trial.z.double(), trial.edited()
    difference = (after @ W_dec + b_dec) - (z @ W_dec + b_dec)
    trial.equal(difference, (after - z)[:, edited] @ W_dec[edited])


def devices(trial: Trial) -> None:
    """I(z, S) lies where z lies, on every device, without looking at single values."""
    for device in trial.devices():
        z = trial.z.to(device)
        found = trial.apply(z, trial.features.to(device))
        trial.expect(found.device == z.device, found=found.device, expected=z.device)
        trial.expect(found.shape == z.shape, found=found.shape, expected=z.shape)


def idempotent(trial: Trial) -> None:
    """I(I(z, S), S) = I(z, S)."""
    once = trial.apply()
    trial.equal(trial.apply(once), once)


def inactive_unchanged(trial: Trial) -> None:
    """I(z, S) = z wherever the features of S are inactive (z_f = 0)."""
    before, after = trial.z[:, trial.features], trial.apply()[:, trial.features]
    inactive = before == 0
    if trial.subject.arity == 2:  # a pair is inactive where both are
        inactive = inactive.all(1, keepdim=True).expand_as(before)
    trial.equal(after[inactive], before[inactive])


def union(trial: Trial) -> None:
    """I(I(z, T), S) = I(z, S or T)."""
    more = trial.draw_features()
    both = trial.concatenated(trial.features, more)
    trial.equal(trial.apply(trial.apply(features=more)), trial.apply(features=both))


def featurewise(trial: Trial) -> None:
    """I(z, S)_f = I(y, {f})_f for f in S, whatever else y holds, if y_f = z_f."""
    together = trial.apply()
    for feature in trial.edited():
        y = trial.redrawn_except(feature)
        alone = trial.apply(y, feature[None])
        trial.equal(alone[:, feature], together[:, feature])


def identity_at(trial: Trial) -> None:
    """I(z, S) = z at the declared parameter value."""
    trial.equal(trial.apply(params=trial.at_value()), trial.z)


def equals(trial: Trial) -> None:
    """I(z, S) = J(z, S) at the declared parameter value, where J is the other intervention."""
    trial.equal(trial.apply(params=trial.at_value()), trial.apply_other())


def multiplicative(trial: Trial) -> None:
    """I_a(I_b(z, S), S) = I_ab(z, S), where a, b and ab are values of the parameter."""
    name = trial.law.parameter
    a, b = trial.params, trial.draw_params()
    product = getattr(a, name) * getattr(b, name)
    trial.equal(
        trial.apply(trial.apply(params=replace(a, **{name: getattr(b, name)})), params=a),
        trial.apply(params=replace(a, **{name: product})),
    )


def involution(trial: Trial) -> None:
    """I(I(z, S), S) = z."""
    trial.equal(trial.apply(trial.apply()), trial.z)


def symmetric(trial: Trial) -> None:
    """I(z, (a, b)) = I(z, (b, a))."""
    trial.equal(trial.apply(features=trial.features.flip(0)), trial.apply())


UNIVERSAL: dict[str, Callable[[Trial], None]] = {
    "shape-and-dtype": shape_and_dtype,
    "input-unchanged": input_unchanged,
    "repeatable": repeatable,
    "others-untouched": others_untouched,
    "rows-independent": rows_independent,
    "features-are-a-set": features_are_a_set,
    "reconstruction-difference": reconstruction_difference,
    "devices": devices,
}
"""What binds every intervention; `features-are-a-set` only those that edit sets."""

LAWS: dict[str, Callable[[Trial], None]] = UNIVERSAL | {
    "idempotent": idempotent,
    "inactive-unchanged": inactive_unchanged,
    "union": union,
    "featurewise": featurewise,
    "identity-at": identity_at,
    "equals": equals,
    "multiplicative": multiplicative,
    "involution": involution,
    "symmetric": symmetric,
}
"""All laws by name; an intervention declares those beyond UNIVERSAL that it keeps."""


# Classifiers


def one_row_each(trial: Labelling) -> None:
    """C(e) has one row for each feature of e, with a label, a kind and a verdict."""
    found = trial.labels()
    features = trial.evidence.features["feature"].sort()
    trial.expect(found["feature"].equals(features), found=found["feature"], expected=features)
    said = found.select("label", "kind", "verdict")
    trial.expect(not sum(said.null_count().row(0)), found=said)


def evidence_unchanged(trial: Labelling) -> None:
    """C(e) leaves the tables of e as they were."""
    before = {name: frame.clone() for name, frame in trial.tables().items()}
    trial.labels()
    for name, frame in trial.tables().items():
        trial.equal(frame, before[name])


def same_answer(trial: Labelling) -> None:
    """C(e) = C(e): the same evidence gives the same labels and associations, to the last bit."""
    one, again = trial.classified(), trial.classified()
    trial.equal(one.labels, again.labels)
    trial.equal(one.associations, again.associations)


def order_of_pairs(trial: Labelling) -> None:
    """C(e) does not depend on the order in which e lists activations and memberships."""
    trial.equal(trial.labels(trial.shuffled()), trial.labels(), nearly=True)


def feature_numbers(trial: Labelling) -> None:
    """C(e with other numbers for the features) = C(e) with those numbers."""
    numbers, other = trial.renumbered("feature")
    expected = trial.labels().with_columns(feature=numbers).sort("feature")
    trial.equal(trial.labels(other), expected, nearly=True)


def problem_numbers(trial: Labelling) -> None:
    """C(e with other numbers for the problems, in the same order) = C(e)."""
    _, other = trial.renumbered("problem")
    trial.equal(trial.labels(other), trial.labels(), nearly=True)


def silence(trial: Labelling) -> None:
    """C(e) gives no label to a feature that is never active."""
    trial.unlabelled_below(1)


def support(trial: Labelling) -> None:
    """C(e) gives no label to a feature with fewer active problems than the parameter says."""
    trial.unlabelled_below(getattr(trial.params, trial.law.parameter))


UNIVERSAL_OF_CLASSIFIERS: dict[str, Callable[[Labelling], None]] = {
    "one-row-each": one_row_each,
    "evidence-unchanged": evidence_unchanged,
    "same-answer": same_answer,
    "order-of-pairs": order_of_pairs,
    "feature-numbers": feature_numbers,
    "problem-numbers": problem_numbers,
    "silence": silence,
}
"""What binds every classifier."""

CLASSIFIER_LAWS: dict[str, Callable[[Labelling], None]] = UNIVERSAL_OF_CLASSIFIERS | {
    "support": support,
}
"""All laws of classifiers by name; one declares those beyond `UNIVERSAL_OF_CLASSIFIERS`."""
