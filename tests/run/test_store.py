"""The store: as a whole or not at all, the same bytes each time, and damage never unnoticed."""

import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from safetensors.torch import save_file
from toys import contents as all_bytes

from strategies import frames, json_objects
from studyrun import Result
from studyrun.artifacts import Manifest
from studyrun.errors import ArtifactDamaged, StoreBusy, StudyError
from studyrun.store import KEPT, Store
from studyrun.storing import contents

KEY = "ab" * 32
OTHER = "cd" * 32


def put(store, result, key=KEY):
    with store.lock(key):
        store.put(Manifest(key, "thing", "maker 1", {}, {}, {"step maker": "1" * 64}), result)
    return store.open(key)


def full_result():
    return Result(
        tables={"table": pl.DataFrame({"a": [1, 2]}), "more_rows": pl.DataFrame({"b": ["x"]})},
        tensors={"W": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(3, dtype=torch.bfloat16)},
        meta={"n": 2, "sites": [[14, 3]]},
        files={"report.html": b"<p>", "figures/one.svg": b"<svg/>"},
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@given(frame=frames(), meta=json_objects)
def test_tables_and_meta_come_back_as_they_went(tmp_path_factory, frame, meta):
    """Law: open(put(result)) == result."""
    artifact = put(Store(tmp_path_factory.mktemp("s")), Result({"table": frame}, meta=meta))
    assert_frame_equal(artifact.table, frame)
    assert artifact.meta == meta


@given(
    st.lists(st.floats(width=32), min_size=1, max_size=12),
    st.sampled_from([torch.float32, torch.bfloat16, torch.float64]),
)
def test_tensors_come_back_bit_for_bit(tmp_path_factory, values, dtype):
    tensor = torch.tensor(values, dtype=dtype)
    stored = put(Store(tmp_path_factory.mktemp("s")), Result(tensors={"x": tensor})).tensors()["x"]
    assert stored.dtype == dtype
    assert stored.view(torch.uint8).tolist() == tensor.view(torch.uint8).tolist()


def test_tensors_that_share_memory_or_are_views_come_back(store):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "base": base,
        "again": base,
        "turned": base.T,
        "row": base[1],
        "grad": base.requires_grad_(),
    }
    stored = put(store, Result(tensors=tensors)).tensors()
    assert all(torch.equal(stored[name], tensors[name]) for name in tensors)


def test_an_artifact_says_what_it_holds(store):
    artifact = put(store, full_result())
    assert artifact.table_names == ("table", "more_rows")
    assert artifact.manifest.made_by == "maker 1"
    assert artifact.file("figures/one.svg").read_bytes() == b"<svg/>"
    with pytest.raises(KeyError, match=r"has no nothing.txt; it has .*report.html"):
        artifact.file("nothing.txt")


def test_the_same_result_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        put(Store(tmp_path / name), full_result())
    assert all_bytes(tmp_path / "one") == all_bytes(tmp_path / "two") != {}


def test_chunks_and_threads_leave_no_trace_in_a_table(tmp_path):
    """The same rows from one chunk or five, written by one thread or three."""
    script = """
import sys; from pathlib import Path; import polars as pl; from studyrun import Result
from studyrun.storing import contents
whole = pl.DataFrame({"a": range(600_000), "s": [f"x{i % 97}" for i in range(600_000)]})
parts = pl.concat([whole[:7], whole[7:100_001], whole[100_001:]], rechunk=False)
Path(sys.argv[1]).mkdir()
contents.write(Result({"table": parts if sys.argv[2] == "parts" else whole}), Path(sys.argv[1]))
"""
    for name, threads, form in [("a", "1", "whole"), ("b", "3", "parts"), ("c", "3", "whole")]:
        env = {**os.environ, "POLARS_MAX_THREADS": threads}
        subprocess.run([sys.executable, "-c", script, tmp_path / name, form], env=env, check=True)
    written = {(tmp_path / name / "table.parquet").read_bytes() for name in "abc"}
    assert len(written) == 1


@settings(max_examples=60)
@given(data=st.data())
def test_any_flipped_byte_of_any_file_is_found(tmp_path_factory, data):
    """Law: whatever byte changes, opening and reading everything raises ArtifactDamaged."""
    store = Store(tmp_path_factory.mktemp("s"))
    artifact = put(store, full_result())
    files = sorted(path for path in artifact.folder.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    file.chmod(0o644)
    file.write_bytes(content)
    with pytest.raises(ArtifactDamaged, match=re.escape(file.name)):
        read_everything(Store(store.folder))


def read_everything(store):
    artifact = store.open(KEY)
    for name in artifact.manifest.files:
        artifact.file(name)


@pytest.mark.parametrize("name", ["table.parquet", "manifest.json"])
@pytest.mark.parametrize("change", ["shorter", "longer", "gone"])
def test_a_file_of_another_size_is_damage_that_a_plan_sees(store, name, change):
    file = put(store, full_result()).folder / name
    file.chmod(0o644)
    content = file.read_bytes()
    file.write_bytes(content[:-1] if change == "shorter" else content + b" ")
    if change == "gone":
        file.unlink()
    assert Store(store.folder).state(KEY) == "damaged"


def test_what_is_damaged_is_moved_aside_and_never_deleted(store):
    file = put(store, full_result()).folder / "table.parquet"
    content = bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]
    file.chmod(0o644)
    file.write_bytes(content)
    with pytest.raises(ArtifactDamaged, match=r"quarantine/.*the next run .* makes it again"):
        _ = Store(store.folder).open(KEY).table
    assert store.state(KEY) == "absent"
    assert (store.folder / "quarantine" / f"{KEY}.1" / "table.parquet").read_bytes() == content
    put(store, full_result())
    assert store.state(KEY) == "stored"


def test_damage_that_another_process_has_repaired_meanwhile_is_no_damage(store):
    artifact = put(store, full_result())
    (artifact.folder / "table.parquet").chmod(0o644)
    (artifact.folder / "table.parquet").write_bytes(
        b"x" * artifact.manifest.files["table.parquet"].size
    )
    with store.lock(KEY):
        store.quarantine(KEY)
        store.put(Manifest(KEY, "thing", "maker 1", {}, {}), full_result())
    assert artifact.table.height == 2


def test_a_file_is_verified_once_per_process(store, monkeypatch):
    artifact = put(store, full_result())
    hashed = []
    monkeypatch.setattr("studyrun.store.sha256_of", lambda file: hashed.append(file) or _sha(file))
    for _ in range(3):
        _ = artifact.table, store.open(KEY).table
    assert len(hashed) == 1


def _sha(file):
    from studyrun.storing.files import sha256_of

    return sha256_of(file)


def test_changing_what_was_read_does_not_reach_the_disk(store):
    artifact = put(store, full_result())
    artifact.tensors()["W"].add_(1)
    assert torch.equal(Store(store.folder).open(KEY).tensors()["W"], full_result().tensors["W"])
    assert not (artifact.file("table.parquet").stat().st_mode & 0o222)


@pytest.mark.parametrize(
    ("result", "fault"),
    [
        ({"table": 1}, "returned dict, not a Result"),
        (None, "returned NoneType, not a Result"),
        (Result(tables={"table": {"a": [1]}}), "table 'table' is a dict, not a polars DataFrame"),
        (Result(tables={"Bad-Name": pl.DataFrame()}), "table name 'Bad-Name' is not"),
        (Result(tables={"t": pl.DataFrame({"a": [object()]})}), "Python objects"),
        (Result(tensors={"x": [1.0]}), "tensor 'x' is a list, not a torch.Tensor"),
        (Result(tensors={"x": torch.eye(2).to_sparse()}), "tensor 'x' is not dense"),
        (Result(meta={"loss": float("nan")}), "meta 'loss' is not plain JSON"),
        (Result(meta={"x": object()}), "meta 'x' is not plain JSON"),
        (Result(files={"../up": b""}), "'../up' is not a plain relative path"),
        (Result(files={"/etc/x": b""}), "is not a plain relative path"),
        (Result(files={"a//b": b""}), "is not a plain relative path"),
        (Result(files={"manifest.json": b""}), "is taken"),
        (Result(files={"figures/x.parquet": b""}), "is taken"),
        (Result(files={"x.txt": "text"}), "file 'x.txt' is str, not bytes"),
    ],
)
def test_what_breaks_the_contract_is_named(result, fault):
    assert fault in contents.fault_of(result)


def test_a_good_result_has_no_fault():
    assert contents.fault_of(full_result()) is None
    assert contents.fault_of(Result()) is None


def test_looking_touches_nothing(store):
    assert store.state(KEY) == "absent"
    with pytest.raises(ArtifactDamaged, match=r"expected a manifest, found .*No such file"):
        store.open(KEY)
    assert not store.folder.exists()


def test_a_failed_write_leaves_the_store_as_it_was(store, monkeypatch):
    def refuse(result, folder):
        (folder / "half").write_bytes(b"...")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(contents, "write", refuse)
    with pytest.raises(
        StudyError, match=r"cannot write to .*store: No space left.*free some space"
    ):
        put(store, full_result())
    assert store.state(KEY) == "absent"
    assert list((store.folder / "tmp").iterdir()) == []


def test_a_disk_that_is_full_for_real_is_said_so(tmp_path):
    """polars and safetensors wrap the system's error; the limit on file sizes provokes one."""
    script = f"""
import resource, signal, sys; from pathlib import Path
import polars as pl, torch
from studyrun import Result
from studyrun.artifacts import Manifest
from studyrun.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
big = torch.rand(200_000)
store = Store(Path(sys.argv[1]))
with store.lock("{KEY}"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    for result in Result({{"t": pl.DataFrame({{"a": big.numpy()}})}}), Result(tensors={{"x": big}}):
        try:
            store.put(Manifest("{KEY}", "t", "m 1", {{}}, {{}}), result)
        except Exception as error:
            print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert all(x.startswith(f"StudyError cannot write to {tmp_path}: File too large") for x in said)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_without_permission_is_said_so(tmp_path):
    tmp_path.chmod(0o500)
    with somebody_else(), pytest.raises(StudyError) as caught:
        put(Store(tmp_path / "store"), Result())
    assert str(caught.value) == (
        f"cannot write to {tmp_path}/store: Permission denied; "
        "make it writable for you, or choose another folder with --out"
    )


@contextmanager
def somebody_else():
    """Root may write anywhere, so root becomes nobody for a moment."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_folder_that_cannot_be_is_said_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StudyError, match=r"cannot write to .*: Not a directory; choose another"):
        put(Store(tmp_path / "file" / "store"), full_result())


def test_a_lock_is_held_against_others_and_named(store):
    said = []
    with (
        store.lock(KEY),
        pytest.raises(StoreBusy, match=r"another run is making abababababab \(waited 0 s\)"),
        store.lock(KEY, 0.3, said.append),
    ):
        pass
    assert said == [str(os.getpid())]
    with store.lock(KEY, 0.0, said.append), store.lock(OTHER):
        pass
    assert len(said) == 1


def test_a_lock_left_by_a_dead_process_is_free(store, tmp_path):
    script = "import sys, os; from pathlib import Path; from studyrun.store import Store\n"
    script += f"lock = Store(Path(sys.argv[1])).lock('{KEY}'); lock.__enter__(); os._exit(9)"
    subprocess.run([sys.executable, "-c", script, store.folder], check=False)
    assert (store.folder / "locks" / KEY).exists()
    with store.lock(KEY):
        pass


def test_sweeping_removes_what_the_dead_left_and_nothing_of_the_living(store):
    tmp = store.folder / "tmp"
    for name in (KEY, f"{KEY}.scratch", OTHER, f"{OTHER}.scratch"):
        (tmp / name).mkdir(parents=True)
        (tmp / name / "part").write_bytes(b"...")
    with Store(store.folder).lock(OTHER):
        store.sweep()
        assert sorted(path.name for path in tmp.iterdir()) == [OTHER, f"{OTHER}.scratch"]
    store.sweep()
    assert list(tmp.iterdir()) == []


def test_scratch_is_empty_and_one_s_own(store):
    folder = store.scratch(KEY)
    (folder / "x").write_text("x")
    assert list(store.scratch(KEY).iterdir()) == []
    store.clear_scratch(KEY)
    assert not folder.exists()


# Tensors larger than memory, and pieces that outlive a crash


def test_a_tensor_file_moves_into_the_store_without_being_copied(store):
    tensors = {"x": torch.arange(6.0).reshape(2, 3)}
    with store.lock(KEY):
        file = store.partial(KEY, "maker") / "x"
        save_file(tensors, file)
        store.put(Manifest(KEY, "thing", "maker 1", {}, {}), Result(tensor_file=file))
    artifact = store.open(KEY)
    assert torch.equal(artifact.tensors()["x"], tensors["x"])
    assert artifact.file("tensors.safetensors").samefile(file)
    put(store, Result(tensors=tensors), OTHER)
    assert artifact.manifest.files == store.manifest(OTHER).files


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "tensor file '.*' is not there"),
        (b"...", "tensor file 'x' is no whole safetensors file: "),
    ],
)
def test_a_tensor_file_that_is_none_breaks_the_contract(tmp_path, content, fault):
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    assert re.match(fault, contents.fault_of(Result(tensor_file=tmp_path / "x")))


def test_tensors_come_in_one_way(tmp_path):
    result = Result(tensors={"x": torch.zeros(1)}, tensor_file=tmp_path / "x")
    assert contents.fault_of(result) == "tensors are given both as such and as a file"


def test_finished_pieces_outlive_a_crash_and_belong_to_one_key_and_one_code(store):
    first = store.partial(KEY, "one")
    (first / "piece").write_bytes(b"...")
    (store.partial(OTHER, "one") / "piece").write_bytes(b"!")
    store.sweep()
    assert store.partial(KEY, "one") == first
    assert (first / "piece").read_bytes() == b"..."
    assert list(store.partial(KEY, "two").iterdir()) == []
    assert not first.exists()
    store.clear_partial(KEY)
    assert [path.name for path in (store.folder / "tmp").iterdir()] == [f"{OTHER}.one.partial"]


def test_pieces_are_swept_when_they_are_stored_or_a_week_old(store):
    (store.partial(KEY, "one") / "piece").write_bytes(b"...")
    put(store, Result(meta={"n": 1}))
    folder = store.partial(OTHER, "one")
    (folder / "piece").write_bytes(b"...")
    store.sweep()
    assert [path.name for path in (store.folder / "tmp").iterdir()] == [folder.name]
    for path in (folder, folder / "piece"):
        os.utime(path, (0, time.time() - KEPT - 1))
    store.sweep()
    assert list((store.folder / "tmp").iterdir()) == []
