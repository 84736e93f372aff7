import subprocess
import sys

import pytest

from studyrun import CheckScope
from studyrun.registry import Registry
from studyrun_classify.checks import check
from studyrun_classify.params import ClassifyParams


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


def test_the_check_imports_nothing_heavy():
    code = (
        "import sys; from studyrun_classify.checks import check; import studyrun_classify;"
        "print(*sorted(set(sys.modules) & {'torch', 'polars', 'numpy', 'scipy', 'transformers'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
