"""Long extractions: piece by piece to the disk, gone on with after a crash, to the same bytes."""

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import shelf
import tiny_models
from studyrun import Inputs, QuestionsRefused, Refusing, Result, StudyError
from studyrun_extract import ExtractParams, extract
from studyrun_extract.growing import Growing
from studyrun_extract.pieces import WHOLE, at_once
from studyrun_extract.view import Activations
from studyrun_models import CodiParams, HfParams
from studyrun_models.codi import load
from studyrun_models.hf import load as load_hf
from tiny_models import PlainContext

PARAMS = ExtractParams(layers=[2, 0], positions=[3, 0])
ASKED = tiny_models.questions(24, seed=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tiny_models.write_codi(tmp_path_factory.mktemp("codi") / "c", layers=3, d=32)
    return load(CodiParams(str(folder)), PlainContext())


@pytest.fixture
def pieces_of(monkeypatch):
    """Sets how many problems are taken at once."""
    return lambda size: monkeypatch.setattr(extract, "length_of_a_piece", lambda *_of, cpu: size)


class Watched:
    """A model that counts the rows it is asked for, and dies before one of its answers."""

    def __init__(self, model, dies_at=None):
        self.model, self.facts, self.asked, self.dies_at = model, model.facts, [], dies_at

    def activations(self, questions, *rest):
        if len(self.asked) == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append(len(questions))
        return self.model.activations(questions, *rest)


def problems(folder, questions=ASKED):
    n = len(questions)
    table = pl.DataFrame(
        {"id": [f"p{i}" for i in range(n)], "question": questions, "split": ["train"] * n}
    )
    return Inputs(
        {"problems": shelf.Shelf(folder / "given").put("problems", Result({"table": table}))}
    )


def extracted(folder, model, params=PARAMS, questions=ASKED, **options):
    """The file and the tables of a run in that folder."""
    work = folder / "partial"
    work.mkdir(exist_ok=True)
    context = PlainContext(model=model, **options).within(work)
    result = extract.run(params, problems(folder, questions), context)
    return result, context


@pytest.mark.parametrize("size", [1, 5, 8, 24, 100])
def test_a_row_does_not_depend_on_the_piece_that_it_is_in(tmp_path, model, pieces_of, size):
    pieces_of(size)
    whole = model.activations(ASKED, PARAMS.layers, PARAMS.positions, PlainContext())
    found, _ = extracted(tmp_path, model, batch_size=4)
    assert torch.equal(load_file(found.tensor_file)["activations"], whole)


@pytest.mark.parametrize("size", [1, 24])
def test_nor_on_the_batch(tmp_path, model, size):
    whole = model.activations(ASKED, PARAMS.layers, PARAMS.positions, PlainContext())
    found, _ = extracted(tmp_path, model, batch_size=size)
    assert torch.equal(load_file(found.tensor_file)["activations"], whole)


def test_the_model_is_never_asked_for_more_than_a_piece(tmp_path, model, pieces_of):
    pieces_of(5)
    watched = Watched(model)
    extracted(tmp_path, watched)
    assert watched.asked == [5, 5, 5, 5, 4]


@pytest.mark.parametrize(
    ("row_bytes", "token_flops", "rows"),
    [
        (4, 0, 4096),
        (1 << 18, 0, 2048),
        (1 << 30, 0, 256),
        (4, 6_300_000, 2432),  # tiny-codi's
        (4, 1_900_000_000, 256),  # Llama 3.2 1B's
    ],
)
def test_pieces_are_bounded_in_rows_bytes_and_work_and_are_whole_batches(
    row_bytes, token_flops, rows
):
    assert at_once(row_bytes, token_flops, cpu=True) == rows
    assert rows % WHOLE == 0


def bytes_of(result):
    tables = {name: table.to_dicts() for name, table in result.tables.items()}
    return result.tensor_file.read_bytes(), tables, result.meta


@pytest.mark.parametrize("dies_at", range(5))
def test_killed_before_any_piece_the_next_run_ends_with_the_same_bytes(
    tmp_path, model, pieces_of, dies_at
):
    pieces_of(5)
    (tmp_path / "whole").mkdir()
    whole, _ = extracted(tmp_path / "whole", model)
    with pytest.raises(KeyboardInterrupt):
        extracted(tmp_path, Watched(model, dies_at))
    again = Watched(model)
    found, context = extracted(tmp_path, again)
    assert bytes_of(found) == bytes_of(whole)
    assert again.asked == [5, 5, 5, 5, 4][dies_at:]
    said = [f"{5 * dies_at} of 24 problems were done by an earlier run"] if dies_at else []
    assert context.notes == said


def test_killed_after_the_last_piece_nothing_is_computed_again(tmp_path, model, pieces_of):
    pieces_of(5)
    whole = bytes_of(extracted(tmp_path, model)[0])
    (tmp_path / "partial" / "tensor").chmod(0o444)  # as the store leaves it
    again = Watched(model)
    assert bytes_of(extracted(tmp_path, again)[0]) == whole
    assert again.asked == []


def test_what_was_left_out_before_the_crash_is_left_out_after_it(tmp_path, model, pieces_of):
    """By a model that does not say beforehand what it refuses."""
    pieces_of(5)
    asked = [*ASKED]
    asked[1], asked[7] = "Zebras!", ""
    params = ExtractParams([1], [2], on_error="exclude")
    with pytest.raises(KeyboardInterrupt):
        extracted(tmp_path, Watched(model, dies_at=2), params, asked)
    found, _ = extracted(tmp_path, Watched(model), params, asked)
    assert found.tables["excluded"].rows() == [
        (1, "p1", "not in the model's vocabulary: 'Zebras', '!'"),
        (7, "p7", "it is empty"),
    ]
    kept = [i for i in range(24) if i not in (1, 7)]
    assert found.tables["table"]["problem"].to_list() == kept
    expected = model.activations([asked[i] for i in kept], [1], [2], PlainContext())
    assert torch.equal(load_file(found.tensor_file)["activations"], expected)


def test_a_model_that_says_what_it_refuses_is_not_asked_for_anything_in_vain(
    tmp_path, model, pieces_of
):
    pieces_of(5)
    asked = [*ASKED[:-1], "Zebras!"]
    watched = Watched(model)
    watched.refusals = model.refusals
    with pytest.raises(StudyError, match="cannot take 1 of 24 problems: problem p23: not in"):
        extracted(tmp_path, watched, questions=asked)
    assert watched.asked == []


def test_pieces_keep_the_batches_of_a_model_that_depends_on_them(tmp_path, pieces_of):
    """The authors' evaluation pads 128 problems as they come, and so do pieces."""
    folder = tiny_models.write_codi(tmp_path / "c", layers=2, d=32)
    model = load(CodiParams(str(folder), padding="official"), PlainContext())
    asked = tiny_models.questions(300, seed=1)
    params = ExtractParams([1], [2])
    whole = model.activations(asked, params.layers, params.positions, PlainContext())
    pieces_of(WHOLE)
    found, _ = extracted(tmp_path, model, params, asked)
    assert torch.equal(load_file(found.tensor_file)["activations"], whole)
    alone = torch.cat([model.activations([each], [1], [2], PlainContext()) for each in asked[:9]])
    assert not torch.equal(whole[:9], alone)


def test_both_kinds_of_model_say_beforehand_what_they_refuse(tmp_path, model):
    asked = [ASKED[0], "Zebras!", ""]
    assert isinstance(model, Refusing)
    assert model.refusals(asked, [0]) == {
        1: "not in the model's vocabulary: 'Zebras', '!'",
        2: "it is empty",
    }
    other = load_hf(HfParams(str(tiny_models.write_hf(tmp_path / "lm", "llama"))), PlainContext())
    assert isinstance(other, Refusing)
    with pytest.raises(QuestionsRefused) as refused:
        other.activations(["one 1", "none"], [0], ["/[0-9]+/"], PlainContext())
    assert other.refusals(["one 1", "none"], ["/[0-9]+/"]) == refused.value.reasons
    assert [*refused.value.reasons] == [1]
    assert other.refusals(["one 1", "none"], ["last"]) == {}


def test_bfloat16_halves_the_file_and_is_read_as_float32(tmp_path, model):
    params = ExtractParams([2, 0], [3, 0], store="bfloat16")
    found, _ = extracted(tmp_path, model, params)
    exact = model.activations(ASKED, [2, 0], [3, 0], PlainContext())
    held = load_file(found.tensor_file)["activations"]
    assert torch.equal(held, exact.to(torch.bfloat16))
    artifact = shelf.Shelf(tmp_path / "shelf").put("activations", found)
    opened = shelf.Shelf(tmp_path / "shelf").store.open(artifact.key, Activations)
    stream = opened.at(layer=0, position=3)
    assert stream.dtype == torch.float32
    assert torch.equal(stream, exact[:, 1, 0].to(torch.bfloat16).float())


# The file that grows


@given(
    st.lists(st.integers(0, 4), max_size=6),
    st.sampled_from([torch.float32, torch.bfloat16]),
    st.data(),
)
def test_what_grew_is_what_was_appended_wherever_it_was_cut(tmp_path_factory, sizes, dtype, data):
    """Law: load(finish(append b1..bn)) == cat(b1..bn), files cut at any byte in between."""
    folder = tmp_path_factory.mktemp("g")
    blocks = [torch.randn(n, 2, 3).to(dtype) for n in sizes]

    def opened():
        return Growing(folder, "x", (2, 3), dtype, {"by": "test"})

    growing = opened()
    for number, block in enumerate(blocks):
        growing.append(block, {"number": number})
    name = data.draw(st.sampled_from(["tensor", "blocks.jsonl"]))
    size = (folder / name).stat().st_size
    with (folder / name).open("r+b") as file:
        file.truncate(data.draw(st.integers(0, size)))
    again = opened()
    assert [block.facts["number"] for block in again.blocks] == list(range(len(again.blocks)))
    for number in range(len(again.blocks), len(blocks)):
        again.append(blocks[number], {"number": number})
    found = load_file(again.finish())["x"]
    assert found.dtype == dtype
    assert torch.equal(found, torch.cat([torch.empty(0, 2, 3, dtype=dtype), *blocks]))


@pytest.mark.parametrize("place", [520, 560])
def test_a_block_whose_bytes_changed_is_made_again_with_those_after_it(tmp_path, place):
    growing = Growing(tmp_path, "x", (4,), torch.float32, {})
    for value in range(3):
        growing.append(torch.full((2, 4), float(value)))
    with growing.file.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff")
    again = Growing(tmp_path, "x", (4,), torch.float32, {})
    assert len(again.blocks) == (place - 512) // 32


@pytest.mark.parametrize(
    "other",
    [
        ("y", (4,), torch.float32, {"torch": "2"}),
        ("x", (2, 2), torch.float32, {"torch": "2"}),
        ("x", (4,), torch.bfloat16, {"torch": "2"}),
        ("x", (4,), torch.float32, {"torch": "3"}),
    ],
)
def test_what_something_else_made_is_not_gone_on_with(tmp_path, other):
    growing = Growing(tmp_path, "x", (4,), torch.float32, {"torch": "2"})
    growing.append(torch.ones(3, 4))
    assert Growing(tmp_path, "x", (4,), torch.float32, {"torch": "2"}).rows == 3
    assert Growing(tmp_path, *other).rows == 0


def test_the_file_is_as_others_read_it(tmp_path):
    growing = Growing(tmp_path, "activations", (2, 3), torch.float32, {})
    growing.append(torch.arange(12.0).reshape(2, 2, 3))
    file = growing.finish()
    save_file({"activations": torch.arange(12.0).reshape(2, 2, 3)}, tmp_path / "theirs")
    with safe_open(file, "pt") as ours, safe_open(tmp_path / "theirs", "pt") as theirs:
        assert [*ours.keys()] == [*theirs.keys()] == ["activations"]
        assert torch.equal(ours.get_tensor("activations"), theirs.get_tensor("activations"))
        assert ours.get_slice("activations").get_dtype() == "F32"


def test_a_disk_that_refuses_is_named_with_the_cure(tmp_path, monkeypatch):
    growing = Growing(tmp_path, "x", (4,), torch.float32, {})

    def full(_file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("studyrun_extract.growing._flush", full)
    with pytest.raises(StudyError) as raised:
        growing.append(torch.ones(3, 4))
    assert str(raised.value) == (
        f"cannot write to {tmp_path}: No space left on device; "
        "free some space or use --out; what is finished is kept"
    )
    monkeypatch.undo()
    again = Growing(tmp_path, "x", (4,), torch.float32, {})
    assert again.rows == 0
