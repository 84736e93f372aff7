"""A report's facts without a study: as many features as wanted, as full as real ones.

    python bench/synthetic_report.py 512 folder

writes the report of 512 features into the folder, and says how long that took.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from studyrun_report.blocks import (
    Bars,
    Block,
    Cell,
    Column,
    Facts,
    FeaturePage,
    Features,
    Figure,
    Layout,
    Problem,
    Rows,
    Sample,
    Samples,
    Section,
    Table,
    Term,
    Terms,
    Text,
    Verdict,
    Verdicts,
)
from studyrun_report.drawing.charts import controls_chart, frequency_chart, kinds_chart
from studyrun_report.report import files
from studyrun_report.writing.text import NOTHING, interval, number, probability, share

NAMES = ("Clara", "Jonas", "Kira", "Leo", "Grace", "Ada", "Noor", "Emil")
THINGS = ("stamps", "beads", "cookies", "cards", "marbles", "ribbons")
CONCEPTS = (
    *(("uses " + each, "operation") for each in "+-*/"),
    *((f"contains {each}", "value") for each in (2, 3, 5, 10, 12, 16, 20, 25, 50, 100)),
    ("* then +", "pattern"), ("+ then *", "pattern"), ("- then /", "pattern"),
    ("first step uses * with 2", "operation-value"), ("three steps", "steps"),
)  # fmt: skip
TOKENS = (
    " plus",
    " times",
    " minus",
    " each",
    " half",
    " 12",
    " twice",
    " dollars",
    " left",
    "=",
    "+",
)
Labels = dict[int, tuple[str, str, str]]
"""Feature -> label, kind, verdict."""
SILENT = ("general", "insufficient")
HEADS = (
    Column("feature", "Feature", True),
    Column("rank", "Rank", True, "By frequency, 1 is the most frequent feature", "", "range"),
    Column("frequency", "Frequency", True, "Share of problems on which it is active", "", "range"),
    Column("label", "Label"),
    Column("kind", "Kind", filter="choice"),
    Column("verdict", "Verdict", filter="choice"),
    Column("rate", "Rate", True, "Share of its active problems that have the concept"),
    Column("odds", "Odds ratio", True, "With its 95 % interval", "", "range"),
    Column("q", "q", True, "p-value after Benjamini-Hochberg"),
    Column("effect", "Effect", True, "Mean absolute change of the reconstruction without it", "",
           "range"),
    Column("stability", "Stable", True, "Share of SAEs with other seeds with the same label",
           "Controls"),
)  # fmt: skip
LAYOUTS = (
    Layout("concepts", "Concepts tested", (
        Column("concept", "Concept"), Column("kind", "Kind"), Column("rate", "Rate", True),
        Column("expected", "Expected", True), Column("odds", "Odds ratio", True),
        Column("q", "q", True)), "The eight with the smallest q of 43 tested."),
    Layout("neighbours", "Neighbours by decoder cosine", (
        Column("feature", "Feature", True), Column("label", "Label"),
        Column("cosine", "Cosine", True))),
    Layout("together", "Active together beyond chance", (
        Column("feature", "Feature", True), Column("label", "Label"), Column("phi", "Phi", True),
        Column("q", "q", True))),
    Layout("effects", "Effects", (
        Column("step", "Step"), Column("effect", "Effect", True),
        Column("control", "Control", True), Column("verdict", "Verdict"))),
    Layout("tokens", "Logit lens of its decoder direction", (
        Column("up", "Raised"), Column("up_by", "by", True), Column("down", "Lowered"),
        Column("down_by", "by", True))),
    Layout("stability", "Over other seeds", (
        Column("seed", "Seed", True), Column("match", "Best match", True),
        Column("cosine", "Cosine", True), Column("label", "Its label"))),
)  # fmt: skip


def synthetic(n: int, n_problems: int = 7473, seed: int = 0) -> Facts:
    """The facts of a study with `n` features; the same for the same arguments."""
    rng = random.Random(seed)
    sections = (
        Section("verdicts", "Verdicts", (_verdicts(),), "Hypotheses were written before the run."),
        Section("study", "The study", (_steps(),), "What was run, in order."),
        Section("quality", "SAE quality", (_quality(), _frequencies(n)),
                "How much of the activations the SAE gives back."),
        Section("distribution", "Distribution", (_distribution(rng), _kinds()),
                "Which kinds of label stand at which ranks."),
        Section("features", "Features", tuple(_features(rng, n, n_problems)),
                "A label is worth what it rests on; every feature has a page of its own."),
        Section("controls", "Controls", (_controls(),),
                "How often the same procedure labels what should have no label."),
        Section("provenance", "Provenance", (_provenance(),), "What it takes to run it again."),
    )  # fmt: skip
    return Facts(
        title="layer14_pos3",
        study="layer14_pos3",
        about="What do TopK SAE features encode at layer 14, position 3?",
        summary=(
            Term("Hypotheses", "2 supported, 1 refuted"),
            Term("Labelled features", f"{n // 5} of {n}"),
            Term("The same with labels permuted", f"0 of {n}"),
            Term("Explained variance", "0.981 (validation)"),
            Term("Problems", str(n_problems)),
        ),
        sections=sections,
        written_by="studyrun 0.1.0",
    )


def _verdicts() -> Verdicts:
    return Verdicts((
        Verdict("general-features-matter",
                "Ablating a top-10 feature moves the reconstruction by more than 0.1 on average.",
                "SELECT min(n_active) >= 20 FROM ablation WHERE rank <= 10",
                "SELECT avg(CAST(mean_abs_diff > 0.1 AS INT)) >= 0.7 FROM ablation",
                "supported", "expect is true", "1.0 >= 0.7"),
        Verdict("rare-features-matter-less",
                "The mean effect of the five most frequent features is larger than that of the "
                "next five.", "", "SELECT avg(mean_abs_diff) > 1 FROM ablation WHERE rank <= 5",
                "refuted", "expect is false", "1.36 > 1.94"),
        Verdict("rare-features-specialise", "More of the rare features carry a label.",
                "SELECT count(*) >= 30 FROM labels WHERE rank > 400", "SELECT count(*) >= 10 FROM "
                "labels WHERE rank > 400", "inconclusive", "given is false", "0 >= 30"),
    ))  # fmt: skip


def _steps() -> Table:
    rows = (("data", "word-problems 2"), ("activations", "extract 1"), ("sae", "sae-train 3"),
            ("features", "sae-encode 1"), ("labels", "classify 5"),
            ("ablation", "ablate 2"))  # fmt: skip
    cells = tuple((Cell(step, step), Cell(use, use)) for step, use in rows)
    return Table("steps", "Steps", (Column("step", "Step"), Column("use", "Component")), cells, 6)


def _quality() -> Table:
    heads = (Column("split", "Split"), Column("n", "Problems", True),
             Column("explained_variance", "Explained variance", True, "1 - fvu"),
             Column("l0", "l0", True), Column("dead", "Dead", True))  # fmt: skip
    rows = tuple(
        (Cell(split, split), Cell(n, str(n)), Cell(ev, number(ev)), Cell(32.0, "32.0"),
         Cell(dead, str(dead), f"{dead} of 512"))
        for split, n, ev, dead in (("train", 5978, 0.984, 0), ("validation", 1495, 0.981, 1))
    )  # fmt: skip
    return Table("sae-quality", "SAE quality on both splits", heads, rows, 2)


def _frequencies(n: int) -> Figure:
    ranks = sorted({min(n, 1 + int(n * (i / 400) ** 2)) for i in range(401)})
    frame = pl.DataFrame({"rank": ranks, "frequency": [_frequency(rank, n) for rank in ranks]})
    alt = (
        "Activation frequency falls from about half of the problems to less than one in a thousand."
    )
    spec = frequency_chart(frame, [(1, 20), (50, 200)])
    return Figure("labels-frequency", "Activation frequency by rank", alt, spec)


def _frequency(rank: int, n: int) -> float:
    return 0.52 * (1 - (rank - 1) / (n + 1)) ** 4 + 0.0003


def _distribution(rng: random.Random) -> Table:
    ranges = ("1-20", "50-200", "400-512")
    heads = (Column("kind", "Kind"), *(Column(each, f"Ranks {each}", True) for each in ranges))
    kinds = ("operation", "value", "pattern", *SILENT)
    rows = []
    for kind in kinds:
        shares = [rng.random() / 4 for _ in ranges]
        cells = (Cell(each, share(each), interval(each / 2, each * 2, share)) for each in shares)
        rows.append((Cell(kind, kind), *cells))
    return Table("labels-distribution", "Kinds by rank range", heads, tuple(rows), len(rows))


def _kinds() -> Figure:
    kinds = ("operation", "value", "pattern", *SILENT)
    rows = [{"ranks": ranks, "kind": kind, "n": 4, "total": 20, "share": 0.2}
            for ranks in ("1-20", "50-200", "400-512") for kind in kinds]  # fmt: skip
    alt = "Of the rank ranges 1-20, 50-200 and 400-512 each kind takes a fifth."
    return Figure("labels-kinds", "Kinds by rank range", alt, kinds_chart(pl.DataFrame(rows)))


def _controls() -> Figure:
    frame = pl.DataFrame({
        "data": ["the study's data", "labels permuted"], "classifier": ["enrichment"] * 2,
        "rate": [0.201, 0.0], "ci_low": [0.169, 0.0], "ci_high": [0.238, 0.003]})  # fmt: skip
    alt = "20.1 % of the features are labelled, and none with labels permuted."
    return Figure("labels-controls", "Share of features labelled", alt, controls_chart(frame))


def _provenance() -> Terms:
    again = Term("Run it again", "studyrun studies/layer14_pos3.yaml", True)
    return Terms((Term("Seed", "0"), again, Term("Key", "9b2f" * 16, True)))


def _features(rng: random.Random, n: int, n_problems: int) -> list[Block]:
    problems = tuple(_problem(rng, number) for number in range(n_problems))
    order = list(range(n))
    rng.shuffle(order)
    pages, rows = [], []
    labels = {}
    for rank, feature in enumerate(order, 1):
        labels[feature] = _label(rng, rank, n)
    for rank, feature in enumerate(order, 1):
        row, page = _feature(rng, feature, rank, labels, n_problems)
        rows.append(row)
        pages.append(page)
    note = "Counted on the half of the problems that confirms."
    block = Features(
        "labels-features", "All features", HEADS, tuple(rows), LAYOUTS, problems, tuple(pages),
        note=note,
    )  # fmt: skip
    return [Text(f"{n // 5} of {n} features are labelled by enrichment on 1495 problems."), block]


def _problem(rng: random.Random, at: int) -> Problem:
    a, b, c = rng.randint(2, 60), rng.randint(2, 12), rng.randint(2, 90)
    who, whom, what = rng.choice(NAMES), rng.choice(NAMES), rng.choice(THINGS)
    question = (f"{who} has {a} {what}. {whom} has {b} times as many and finds {c} more. "
                f"How many {what} does {whom} have?")  # fmt: skip
    steps = (f"{a}*{b}={a * b}", f"{a * b}+{c}={a * b + c}")
    return Problem(f"word_{at}", question, steps, str(a * b + c))


def _label(rng: random.Random, rank: int, n: int) -> tuple[str, str, str]:
    if rank > 0.6 * n:
        return "", "insufficient", "insufficient"
    if rng.random() < 0.6:
        return "", "general", rng.choice(("not-enriched", "weak", "explained"))
    return *rng.choice(CONCEPTS), "enriched"


def _feature(
    rng: random.Random, feature: int, rank: int, labels: Labels, n_problems: int
) -> tuple[tuple[Cell, ...], FeaturePage]:
    label, kind, verdict = labels[feature]
    identity, n = f"feature-{feature}", len(labels)
    frequency = _frequency(rank, n) * rng.uniform(0.98, 1.0)
    effect, rate, odds = rng.lognormvariate(-1, 1), rng.uniform(0.3, 1), rng.lognormvariate(3, 1)
    q = 10 ** -rng.uniform(2, 60)
    known = bool(label)
    row = (
        Cell(feature, str(feature), "", identity),
        Cell(rank, str(rank)),
        Cell(frequency, share(frequency)),
        Cell(label or None, label or NOTHING),
        Cell(kind, kind),
        Cell(verdict, verdict),
        _known(known, rate, share, f"{int(rate * 200)} of 200"),
        _known(known, odds, number, interval(odds / 3, odds * 3)),
        _known(known, q, probability),
        Cell(effect, number(effect)),
        _known(known, 0.5, share, "cosine 0.871"),
    )
    page = FeaturePage(
        id=identity, feature=feature, label=label, kind=kind, verdict=verdict,
        terms=(Term("Rank", f"{rank} of {n}"), Term("Active on", share(frequency)),
               Term("Mean activation", number(rng.gammavariate(3, 4))),
               Term("Largest activation", number(rng.gammavariate(9, 6)))),
        evidence=_evidence(rate, odds, q) if known else "",
        controls="With labels permuted it is labelled in 0 % of runs; a random feature that is "
        "active as often is labelled in 0 % of runs." if known else "",
        histogram=_histogram(rng, feature), samples=_samples(rng, n_problems),
        tables=_tables(rng, labels),
    )  # fmt: skip
    return row, page


def _known(known: bool, value: float, write: Callable[[float], str], detail: str = "") -> Cell:
    return Cell(value, write(value), detail) if known else Cell(None, NOTHING)


def _evidence(rate: float, odds: float, q: float) -> str:
    return (
        f"{int(rate * 200)} of 200 active problems (second half, found on the first) have the "
        f"concept ({share(rate)}), against 42.0 % expected of comparable problems; odds ratio "
        f"{number(odds)}, 95 % interval {interval(odds / 3, odds * 3)}, q = {probability(q)}."
    )


def _histogram(rng: random.Random, feature: int) -> Bars:
    counts = tuple(int(180 * rng.random() * 0.8**i) for i in range(24))
    alt = f"{sum(counts)} activations of feature {feature} between 0.02 and 58.3; most are small."
    return Bars("0.02", "58.3", counts, alt)


def _samples(rng: random.Random, n: int) -> tuple[Samples, ...]:
    parts = (("Strongest", 5, 1.0), ("Upper fifth", 3, 0.7), ("Middle fifth", 3, 0.4),
             ("Weakest", 3, 0.1))  # fmt: skip
    found = []
    for title, many, level in parts:
        own = sorted((level * rng.uniform(0.8, 1.0) for _ in range(many)), reverse=True)
        found.append(Samples(title, tuple(
            Sample(rng.randrange(n), number(each * 58.3), round(each, 4),
                   tuple(i for i in range(2) if rng.random() < 0.5)) for each in own)))  # fmt: skip
    return tuple(found)


def _tables(rng: random.Random, labels: Labels) -> dict[str, Rows]:
    concepts = tuple(
        (Cell(name, name), Cell(kind, kind), Cell(rate, share(rate), f"{int(rate * 200)} of 200"),
         Cell(0.42, share(0.42)), Cell(odds, number(odds), interval(odds / 2, odds * 2)),
         Cell(q, probability(q)))
        for name, kind in rng.sample(CONCEPTS, 8)
        for rate, odds, q in [(rng.random(), rng.lognormvariate(2, 1), 10 ** -rng.uniform(0, 40))]
    )  # fmt: skip
    others = [rng.randrange(len(labels)) for _ in range(10)]
    links = [(Cell(o, str(o), "", f"feature-{o}"), Cell(labels[o][0], labels[o][0] or NOTHING))
             for o in others]  # fmt: skip
    neighbours = tuple((*each, Cell(c, number(c)))
                       for each in links[:5] for c in [rng.uniform(-0.3, 0.9)])  # fmt: skip
    together = tuple((*each, Cell(c, number(c)), Cell(1e-9, probability(1e-9)))
                     for each in links[5:] for c in [rng.uniform(0.1, 0.6)])  # fmt: skip
    effects = tuple(
        (Cell(step, step), Cell(e, number(e), interval(e * 0.9, e * 1.1)), Cell(0.02, "0.0200"),
         Cell("effect", "effect"))
        for step in ("ablation", "doubled") for e in [rng.lognormvariate(-1, 1)]
    )  # fmt: skip
    pairs = zip(rng.sample(TOKENS, 8), rng.sample(TOKENS, 8), strict=True)
    tokens = tuple(
        (Cell(up, repr(up)), Cell(a, number(a)), Cell(down, repr(down)), Cell(-a, number(-a)))
        for up, down in pairs for a in [rng.uniform(0.1, 4)]
    )  # fmt: skip
    stability = tuple(
        (Cell(seed, str(seed)), Cell(o, str(o)), Cell(c, number(c)), Cell("uses +", "uses +"))
        for seed in (1, 2, 3) for o, c in [(rng.randrange(512), rng.random())]
    )  # fmt: skip
    return {"concepts": concepts, "neighbours": neighbours, "together": together,
            "effects": effects, "tokens": tokens, "stability": stability}  # fmt: skip


def main() -> None:
    """Writes a report and says how large it is and how long that took."""
    n, folder = int(sys.argv[1]), Path(sys.argv[2])
    begun = time.perf_counter()
    found = synthetic(n)
    made = time.perf_counter()
    written = files(found)
    done = time.perf_counter()
    for name, content in written.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    page = len(written["report.html"])
    print(f"facts {made - begun:.2f} s, files {done - made:.2f} s, page {page / 1e6:.2f} MB, "
          f"{len(written)} files of {sum(map(len, written.values())) / 1e6:.1f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
