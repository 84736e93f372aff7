import subprocess
import sys

import pytest

from studyrun import CheckScope, Variant
from studyrun.registry import Registry
from studyrun_classify.checks import check
from studyrun_classify.params import ClassifyParams, SwapTest
from studyrun_classify.variants import variants


def faults(*ranks: str, d_sae: int | None = None) -> list[tuple[tuple[str | int, ...], str]]:
    registry = Registry.load()
    steps = {}
    if d_sae:
        steps["sae"] = registry.bind("step", {"use": "sae-train", "with": {"d_sae": d_sae, "k": 4}})
    found = check(ClassifyParams(ranks=list(ranks)), CheckScope(steps=steps))
    return [(fault.path, fault.message) for fault in found]


def test_ranges_in_any_order_are_right():
    assert faults("400-512", "1-20", "50-200", "21-21", d_sae=512) == []


@pytest.mark.parametrize(
    ("ranks", "index", "message"),
    [
        (["20-1"], 0, "20-1 is reversed; write 1-20"),
        (["1-20", "20-30"], 1, "20-30 overlaps 1-20; a feature must be counted in one range only"),
        (["5-6", "1-30"], 1, "1-30 overlaps 5-6; a feature must be counted in one range only"),
        (["1-20", "1-20"], 1, "1-20 overlaps 1-20; a feature must be counted in one range only"),
        (["400-513"], 0, "400-513 ends after rank 512, the last one: the SAE has 512 features"),
    ],
)
def test_a_wrong_range_is_named(ranks, index, message):
    assert faults(*ranks, d_sae=512) == [(("ranks", index), message)]


def test_every_fault_is_told():
    assert [path for path, _ in faults("9-1", "1-99", "50-60", d_sae=64)] == [
        ("ranks", 0),
        ("ranks", 1),
        ("ranks", 2),
    ]


def test_without_an_sae_in_the_study_no_length_is_assumed():
    assert faults("400-99999") == []


def said(params: ClassifyParams, **sae: object) -> list[tuple[tuple[str | int, ...], str]]:
    bound = Registry.load().bind("step", {"use": "sae-train", "with": sae})
    return [(f.path, f.message) for f in check(params, CheckScope(steps={"dictionary": bound}))]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"compare": ["thresholds", "enrichment"]}, ("compare", 1)),
        ({"compare": [{"use": "enrichment"}]}, ("compare", 0)),
        ({"classifier": {"thresholds": {}}, "compare": ["thresholds"]}, ("compare", 0)),
        ({"compare": ["thresholds", {"use": "thresholds", "with": {}}]}, ("compare", 1)),
        ({"compare": [{"thresholds": {"top": 9}}] * 2}, ("compare", 1)),
        ({"concepts": ["values", "operations", {"values": None}]}, ("concepts", 2)),
    ],
    ids=str,
)
def test_what_stands_twice_is_named_in_whatever_form_it_stands(given, path):
    ((found, message),) = said(ClassifyParams(**given))
    assert found == path
    assert "compared with itself" in message or "stand here twice" in message


def test_a_classifier_may_be_compared_with_itself_under_other_parameters():
    compare = [{"thresholds": {"ties": "drop"}}, {"thresholds": {"ties": "keep"}}, "thresholds"]
    assert said(ClassifyParams(compare=compare)) == []


def test_an_sae_cannot_be_its_own_other_seed():
    ((path, message),) = said(ClassifyParams(sae_seeds=3), seed=1_000_002)
    assert path == ("sae_seeds",)
    assert message == (
        "step 'dictionary' has seed 1000002, which is that of an SAE it is to be compared with; "
        "give it another, or leave its seed out"
    )
    assert said(ClassifyParams(sae_seeds=3), seed=1_000_004) == []
    assert said(ClassifyParams(sae_seeds=3)) == []
    assert said(ClassifyParams(), seed=1_000_002) == []


def test_a_swap_must_move_more_than_chance():
    ((path, message),) = said(ClassifyParams(swaps=SwapTest(moved=0.05)))
    assert path == ("swaps", "moved")
    assert message == "must be more than by_chance, which is 0.05"


def test_controls_are_the_variants_asked_for():
    assert list(variants(ClassifyParams())) == []
    assert list(variants(ClassifyParams(untrained=True, sae_seeds=2))) == [
        Variant("untrained", model={"weights": "random"}),
        Variant("seed-1", steps={"sae": {"seed": 1_000_001}}),
        Variant("seed-2", steps={"sae": {"seed": 1_000_002}}),
    ]


def test_the_check_imports_nothing_heavy():
    code = (
        "import sys; from studyrun_classify.checks import check; import studyrun_classify.variants;"
        "print(*sorted(set(sys.modules) & {'torch', 'polars', 'numpy', 'scipy', 'transformers'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
