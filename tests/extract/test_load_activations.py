"""The step `load-activations`: every format to the bit, rows beside their problems, refusals."""

import json
import pickle
import struct

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

import shelf
from studyrun import CheckScope, Inputs, ModelFacts, Result, StudyError
from studyrun.artifacts import Manifest
from studyrun.storing import contents
from studyrun_extract import LoadParams, load_step
from studyrun_extract.loading import check, digest, estimate
from studyrun_extract.view import Activations
from tiny_models import PlainContext

X = torch.randn(6, 2, 3, 4, generator=torch.Generator().manual_seed(0))
IDS = [f"p{i}" for i in range(6)]
SITES = {"layers": [3, 14], "positions": [0, 3, "last"]}


def write(file, x=X, *, ids=None, told=True):
    """The same activations in the format of the file's suffix."""
    metadata = {**(SITES if told else {}), **({} if ids is None else {"problem_ids": ids})}
    if file.suffix == ".npy":
        np.save(file, x.numpy())
    elif file.suffix == ".pt":
        metadata |= {"cot_sequences": [["1+1=2"]] * len(x)}
        torch.save({"activations": x, "metadata": metadata}, file)
    else:
        text = {name: json.dumps(value) for name, value in metadata.items()}
        save_file({"activations": x, "other": torch.zeros(1)}, file, metadata=text)
    return file


def problems(folder, ids=IDS):
    n = len(ids)
    splits = ["validation" if i % 3 == 2 else "train" for i in range(n)]
    table = pl.DataFrame({"id": ids, "question": ["?"] * n, "split": splits})
    return Inputs({"problems": shelf.Shelf(folder / "given").put("p", Result({"table": table}))})


def params(file, **more):
    sites = SITES if file.suffix == ".npy" else {}
    return LoadParams(path=str(file), **(sites | more))


def loaded(folder, given, inputs=None, **options):
    """What the step stores, opened again, and the context."""
    work = folder / "partial"
    work.mkdir(exist_ok=True)
    context = PlainContext(**options).within(work)
    result = load_step.run(given, inputs or Inputs({}), context)
    artifact = shelf.Shelf(folder / "made").put("activations", result)
    return shelf.Shelf(folder / "made").store.open(artifact.key, Activations), context


def all_of(found):
    """(n, layers, positions, d_model), site by site."""
    sites = [found.at(layer=i, position=p) for i, p in found.sites]
    shape = (-1, len(found.meta["layers"]), len(found.meta["positions"]), found.meta["d_model"])
    return torch.stack(sites, dim=1).view(shape)


def refused(folder, given, inputs=None):
    with pytest.raises(StudyError) as raised:
        loaded(folder, given, inputs)
    text = str(raised.value)
    assert "\n" not in text
    assert text.startswith(given.path)
    return text.removeprefix(given.path).removeprefix(": ")


# What comes in comes out


@pytest.mark.parametrize("suffix", [".safetensors", ".npy", ".pt"])
@pytest.mark.parametrize("piece", [1, 200, 1 << 20])
def test_every_format_gives_the_same_numbers_and_sites(tmp_path, suffix, piece, monkeypatch):
    """Law: at(load(write(x))) == x, copied in pieces of any size."""
    monkeypatch.setattr(load_step, "PIECE", piece)
    found, _ = loaded(tmp_path, params(write(tmp_path / f"a{suffix}")))
    assert found.meta["layers"] == SITES["layers"]
    assert found.meta["positions"] == SITES["positions"]
    assert torch.equal(all_of(found), X)
    assert found.read_table("excluded").height == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_numbers_of_any_precision_are_read_as_float32(tmp_path, dtype):
    file = write(tmp_path / "a.safetensors", X.to(dtype))
    found, _ = loaded(tmp_path, params(file))
    assert torch.equal(all_of(found), X.to(dtype).float())
    assert found.meta["model"]["dtype"] == str(dtype).removeprefix("torch.")


def test_they_can_be_stored_in_half_of_the_room(tmp_path):
    found, _ = loaded(tmp_path, params(write(tmp_path / "a.pt"), store="bfloat16"))
    assert found.tensors()["activations"].dtype == torch.bfloat16
    assert torch.equal(all_of(found), X.to(torch.bfloat16).float())


@pytest.mark.parametrize("suffix", [".safetensors", ".npy", ".pt"])
@pytest.mark.parametrize(
    ("shape", "layers", "positions"),
    [
        ((6, 24), [14], [3]),
        ((6, 1, 24), [14], [3]),
        ((6, 2, 12), [3, 14], [3]),
        ((6, 2, 12), [14], [0, 3]),
        ((6, 1, 2, 12), [14], [0, 3]),
        ((6, 2, 1, 12), [3, 14], [3]),
    ],
)
def test_axes_of_length_1_may_lack(tmp_path, suffix, shape, layers, positions):
    file = write(tmp_path / f"a{suffix}", X.reshape(shape), told=False)
    given = LoadParams(path=str(file), layers=layers, positions=positions)
    assert list(check(given, CheckScope())) == []
    found, _ = loaded(tmp_path, given)
    assert torch.equal(all_of(found).flatten(), X.flatten())


@pytest.mark.parametrize("name", ["resid", None])
def test_another_tensor_can_be_named_and_a_pt_file_may_be_one(tmp_path, name):
    file = tmp_path / "a.pt"
    torch.save({"resid": X, "z": 1} if name else X, file)
    given = LoadParams(path=str(file), **SITES, **({"tensor": name} if name else {}))
    assert torch.equal(all_of(loaded(tmp_path, given)[0]), X)


# Rows and their problems


@given(st.permutations(range(6)), st.sampled_from([".safetensors", ".pt"]), st.booleans())
def test_rows_find_their_problems_whatever_their_order(tmp_path_factory, order, suffix, numbers):
    """Law: row i of the artifact is of problem i, by id or by number."""
    folder = tmp_path_factory.mktemp("order")
    ids = list(order) if numbers else [IDS[i] for i in order]
    file = write(folder / f"a{suffix}", X[list(order)], ids=ids)
    found, _ = loaded(folder, params(file), problems(folder))
    assert torch.equal(all_of(found), X)
    assert found.table.schema == {"problem": pl.UInt32, "id": pl.String, "split": pl.String}
    assert found.table["id"].to_list() == IDS
    assert found.table["split"].to_list() == ["train", "train", "validation"] * 2


def test_ids_may_stand_in_a_file_of_their_own(tmp_path):
    (tmp_path / "ids.json").write_text(json.dumps(IDS[::-1]))
    given = params(write(tmp_path / "a.npy", X.flip(0)), ids=str(tmp_path / "ids.json"))
    found, _ = loaded(tmp_path, given, problems(tmp_path))
    assert torch.equal(all_of(found), X)


def test_problems_without_a_row_stop_the_step_or_are_listed(tmp_path):
    file = write(tmp_path / "a.pt", X[:4], ids=["p5", "p0", "p3", "p2"])
    assert refused(tmp_path, params(file), problems(tmp_path)) == (
        "2 of 6 problems cannot be used: problem p1: no row of the file is of it; problem p4: no "
        "row of the file is of it; `on_error: exclude` lists them and goes on without"
    )
    found, _ = loaded(tmp_path, params(file, on_error="exclude"), problems(tmp_path))
    assert found.table["problem"].to_list() == [0, 2, 3, 5]
    assert torch.equal(all_of(found), X[[1, 3, 2, 0]])
    assert found.read_table("excluded").rows() == [
        (1, "p1", "no row of the file is of it"),
        (4, "p4", "no row of the file is of it"),
    ]


def test_rows_of_no_problem_stop_the_step_or_are_left_out(tmp_path):
    file = write(tmp_path / "a.pt", ids=["p5", "q1", "p3", "p2", "p1", "p0"])
    assert refused(tmp_path, params(file), problems(tmp_path)) == (
        "1 rows are of no problem of the data: 'q1' (its ids are 'p0', 'p1', 'p2', 'p3', 'p4', "
        "...); take the data they are of, or `on_error: exclude`"
    )
    given = params(file, on_error="exclude")
    found, context = loaded(tmp_path, given, problems(tmp_path))
    assert context.notes == ["1 rows are of no problem of the data: 'q1'; they are left out"]
    assert found.table["problem"].to_list() == [0, 1, 2, 3, 5]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_rows_that_are_not_finite_stop_the_step_or_are_listed(tmp_path, value, monkeypatch):
    monkeypatch.setattr(load_step, "PIECE", 200)
    x = X.clone()
    x[4, 1, 2, 3] = value
    file = write(tmp_path / "a.npy", x)
    assert refused(tmp_path, params(file), problems(tmp_path)).startswith(
        "1 of 6 problems cannot be used: problem p4: its activations are not finite; `on_error"
    )
    found, _ = loaded(tmp_path, params(file, on_error="exclude"), problems(tmp_path))
    assert torch.equal(all_of(found), X[[0, 1, 2, 3, 5]])
    assert found.read_table("excluded")["id"].to_list() == ["p4"]


def test_a_file_of_which_nothing_is_left_is_an_error(tmp_path):
    file = write(tmp_path / "a.npy", X * torch.nan)
    assert "6 of 6 problems cannot" in refused(tmp_path, params(file, on_error="exclude"))


def test_as_many_rows_as_problems_are_needed_where_there_are_no_ids(tmp_path):
    file = write(tmp_path / "a.npy", X[:5])
    assert refused(tmp_path, params(file), problems(tmp_path)) == (
        "has 5 rows without ids, the data 6 problems; say which row is of which problem "
        "(ids: ids.json)"
    )


def test_without_data_the_split_is_the_seeds_own_or_drawn(tmp_path):
    (tmp_path / "split.json").write_text('{"dataset": "...", "validation": [5, 1]}')
    file = write(tmp_path / "a.pt", ids=IDS)
    found, _ = loaded(tmp_path, params(file, indices=str(tmp_path / "split.json")))
    assert found.table["split"].to_list() == ["train", "validation", *["train"] * 3, "validation"]
    assert found.table["id"].to_list() == IDS
    drawn = [
        loaded(tmp_path, params(file, validation=0.5, seed=seed))[0].table["split"].to_list()
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0].count("validation") == 3


def test_a_copy_is_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(load_step, "PIECE", 200)
    file, piece, starts = write(tmp_path / "a.npy"), load_step._piece, []

    def dying(found, match, start, given):
        if start == 4:
            raise KeyboardInterrupt
        return piece(found, match, start, given)

    def counting(found, match, start, given):
        starts.append(start)
        return piece(found, match, start, given)

    monkeypatch.setattr(load_step, "_piece", dying)
    with pytest.raises(KeyboardInterrupt):
        loaded(tmp_path, params(file))
    monkeypatch.setattr(load_step, "_piece", counting)
    found, _ = loaded(tmp_path, params(file))
    assert starts == [4]
    assert torch.equal(all_of(found), X)


# Before it runs, and what is refused


def faults(given, scope=None):
    return [(fault.path, fault.message) for fault in check(given, scope or CheckScope())]


@pytest.mark.parametrize("suffix", [".safetensors", ".npy"])
def test_a_file_cut_off_is_told_before_the_run(tmp_path, suffix):
    file = write(tmp_path / f"a{suffix}")
    whole = file.read_bytes()
    file.write_bytes(whole[:-4])
    said = f"is not whole: {len(whole) - 4} bytes of {len(whole)}; copy the file again"
    assert faults(params(file)) == [(("path",), f"{file}: {said}")]
    assert refused(tmp_path, params(file)) == said


@pytest.mark.parametrize("suffix", [".safetensors", ".npy", ".pt"])
@pytest.mark.parametrize("size", [0, 1, 7, 9, 60, 100])
def test_a_file_of_which_little_is_left_is_one_line(tmp_path, suffix, size):
    file = write(tmp_path / f"a{suffix}")
    file.write_bytes(file.read_bytes()[:size])
    assert refused(tmp_path, params(file)).count("copy the file again") == 1
    assert len(faults(params(file))) == 1


def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path):
    target = tmp_path / "was_run"

    class Bomb:
        def __reduce__(self):
            return open, (str(target), "w")

    file = tmp_path / "a.pt"
    torch.save({"activations": X, "metadata": {"layers": Bomb()}}, file)
    said = refused(tmp_path, params(file))
    assert said == (
        "names io.open, which is code and no tensor (nothing of it was run); save tensors, "
        "numbers, text, lists and dicts alone"
    )
    file.write_bytes(pickle.dumps(Bomb()))
    assert refused(tmp_path, params(file)).startswith("is no whole file of torch.save")
    objects = tmp_path / "a.npy"
    np.save(objects, np.array([Bomb()], dtype=object), allow_pickle=True)
    said = "holds Python objects, which are code and no numbers; save floats"
    assert refused(tmp_path, params(objects)) == said
    assert not target.exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"x": X}, "has no 'activations'; say which tensor is meant (tensor: ...): x"),
        (
            {"activations": {14: X}},
            "activations is a dict, not a tensor; save one tensor (rows, layers, positions, "
            "d_model)",
        ),
        (
            {"activations": torch.zeros(1).as_strided((6, 1 << 40), (0, 0))},
            "activations repeats 4 bytes as (6, 1099511627776); save a plain tensor of float64, "
            "float32, float16, bfloat16, with .clone()",
        ),
        (
            {"activations": X.to("meta")},
            "activations has no numbers, but a shape alone; save a plain tensor of float64, "
            "float32, float16, bfloat16, with .clone()",
        ),
        (
            {"activations": X, "metadata": SITES | {"layers": [3, 14.5]}},
            "says layers [3, 14.5], which is no list of layers; save them as e.g. layers: [3]",
        ),
        (
            {"activations": X, "metadata": SITES | {"layers": [3, 3]}},
            "says layers [3, 3], one of them twice; correct what it says",
        ),
        (
            {"activations": X.long()},
            "activations is of int64; only floating-point numbers are read",
        ),
        (
            {"activations": X, "metadata": SITES | {"problem_ids": ["a"]}},
            "has 6 rows, but 1 problem ids; the two do not belong together",
        ),
        (
            {"activations": X, "metadata": SITES | {"problem_ids": ["a", "b", "a"]}},
            "metadata.problem_ids has 'a' at 0 and at 2; keep one row of every problem",
        ),
        (
            {"activations": X, "metadata": SITES | {"layers": [3]}},
            "its shape is (6, 2, 3, 4), not (rows, 1, 3, d_model); correct layers, positions",
        ),
        (
            {"activations": X, "metadata": {"layers": [3, 14]}},
            "does not say its positions; say them, e.g. positions: [3]",
        ),
    ],
)
def test_a_pt_file_of_another_layout_is_one_line_with_the_cure(tmp_path, value, said):
    file = tmp_path / "a.pt"
    torch.save(value, file)
    assert refused(tmp_path, params(file)) == said


def test_what_a_safetensors_file_lacks_is_told_before_the_run(tmp_path):
    file = write(tmp_path / "a.safetensors")
    assert faults(params(file, tensor="x")) == [
        (
            ("path",),
            f"{file}: has no tensor 'x'; say which (tensor: ...): activations, other",
        )
    ]
    assert faults(params(file, layers=[1, 2])) == [
        (("path",), f"{file}: says layers [3, 14], the study [1, 2]; leave them out of the study")
    ]
    untold = write(tmp_path / "b.safetensors", told=False)
    assert faults(params(untold)) == [
        (("path",), f"{untold}: does not say its layers; say them, e.g. layers: [14]")
    ]
    save_file({"activations": torch.ones(2, 4, dtype=torch.int64)}, tmp_path / "c.safetensors")
    (found,) = faults(params(tmp_path / "c.safetensors"))
    assert found[1].endswith("activations is of I64; only F64, F32, F16, BF16 are read")


def test_files_that_are_not_there_are_faults_of_their_own(tmp_path):
    given = LoadParams(path=str(tmp_path / "a.pt"), ids=str(tmp_path), indices=str(tmp_path / "i"))
    assert faults(given) == [
        (("path",), f"{tmp_path / 'a.pt'}: is not there; paths are relative to the study"),
        (("ids",), f"{tmp_path}: is a folder, not a file; name the file in it"),
        (("indices",), f"{tmp_path / 'i'}: is not there; paths are relative to the study"),
    ]
    (tmp_path / "a.csv").write_text("")
    known = "known are .safetensors, .npy, .pt, .pth"
    assert faults(LoadParams(path=str(tmp_path / "a.csv"))) == [
        (("path",), f"{tmp_path / 'a.csv'}: .csv is not known; {known}")
    ]


def test_another_models_width_and_a_second_split_are_faults(tmp_path):
    file = write(tmp_path / "a.safetensors")
    (tmp_path / "i.json").write_text('{"validation": [1]}')
    given = params(file, indices=str(tmp_path / "i.json"))
    scope = CheckScope(ModelFacts("lm", "0", 16, 8), {}, {"problems": "data"})
    assert faults(given, scope) == [
        (
            ("indices",),
            "the study has data, which say what is for validation; give it to the data",
        ),
        (("path",), "its rows are 4 wide, the model's residual stream 8"),
    ]


def test_the_key_knows_the_content_of_the_files_and_not_where_they_lie(tmp_path):
    (tmp_path / "other").mkdir()
    first, second = write(tmp_path / "a.npy"), write(tmp_path / "other" / "b.npy")
    third = write(tmp_path / "c.npy", X + 1)
    assert digest(params(first)) == digest(params(second)) != digest(params(third))
    (tmp_path / "ids.json").write_text("[]")
    assert digest(params(first)) != digest(params(first, ids=str(tmp_path / "ids.json")))
    assert estimate(params(first), CheckScope()).bytes > 0


def test_a_header_that_lies_about_its_length_is_refused(tmp_path):
    file = tmp_path / "a.safetensors"
    file.write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    said = "has no header of safetensors; copy the file again"
    assert refused(tmp_path, params(file)) == said


ENTRY = {"dtype": "F32", "shape": [6, 8], "data_offsets": [0, 192]}
LIES = {
    "too large": {"shape": [10**15, 8]},
    "too small": {"shape": [6, 4]},
    "negative": {"shape": [-6, -8]},
    "no list": {"shape": None},
    "no number": {"shape": ["6", 8]},
    "begins before the file": {"data_offsets": [-192, 0]},
    "no map": None,
    "one offset": {"data_offsets": [192]},
    "turned round": {"data_offsets": [192, 0]},
    "no type": {"dtype": ["F32"]},
}


@pytest.mark.parametrize("name", LIES)
def test_a_header_of_safetensors_that_lies_is_refused_before_the_run(tmp_path, name):
    """Law: shape, type and place of every tensor agree with the bytes that are there."""
    lie = LIES[name]
    header = json.dumps([] if lie is None else {"activations": ENTRY | lie}).encode()
    file = tmp_path / "a.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + bytes(192))
    ((path, message),) = faults(LoadParams(path=str(file), layers=[14], positions=[3]))
    assert path == ("path",)
    assert message.startswith(f"{file}: ")
    assert message.endswith("; copy the file again")


@pytest.mark.parametrize("shape", ["(True, 48)", "(6.0, 8)", "(-6, -8)", "'ab'", "(10**3, 8)"])
def test_a_header_of_numpy_that_lies_is_refused_before_the_run(tmp_path, shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    file = tmp_path / "a.npy"
    file.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(192))
    ((_, message),) = faults(LoadParams(path=str(file), layers=[14], positions=[3]))
    assert message == f"{file}: is no array of numpy; copy the file again"


def test_only_a_piece_is_in_memory_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(load_step, "PIECE", 200)
    largest, piece = [], load_step._piece

    def watched(*given):
        found = piece(*given)
        largest.append(found[0].numel() * 4)
        return found

    monkeypatch.setattr(load_step, "_piece", watched)
    loaded(tmp_path, params(write(tmp_path / "a.safetensors")))
    assert max(largest) <= 200


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_a_site_is_read_from_a_file_that_no_memory_holds(tmp_path, dtype):
    """A file with holes: 400 GB to look at, some kB on the disk."""
    shape, wide = (1000, 100, 1000, 1024), {"F32": 4, "BF16": 2}[dtype]
    size = wide * torch.Size(shape).numel()
    facts = {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}
    header = json.dumps({"activations": facts}).encode().ljust(504)
    file = tmp_path / "tensors.safetensors"
    with file.open("wb") as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        stream.truncate(512 + size)
        stream.seek(512 + wide * (((7 * 100 + 3) * 1000 + 5) * 1024))
        stream.write(b"\x80\x3f" * 1024 if dtype == "BF16" else b"\0\0\x80\x3f" * 1024)
    assert contents.fault_of(Result(tensor_file=file)) is None
    meta = {"layers": list(range(100)), "positions": list(range(1000))}
    manifest = Manifest("ab" * 32, "activations", "test 1", meta, {file.name: None})
    found = Activations(tmp_path, manifest, lambda name: tmp_path / name).at(layer=3, position=5)
    assert found.dtype == torch.float32
    assert torch.equal(found[7], torch.ones(1024))
    assert found.count_nonzero() == 1024
