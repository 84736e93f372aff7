"""A process may end at any instant: the next run ends with the bytes of an undisturbed one."""

import random
import signal
import time

import pytest
from toys import Lab, contents, start

INSTANTS = 10
RUN = """
import sys
from toys import QUIET, Lab, Path
print("ready", flush=True)
Lab(Path(sys.argv[1])).run(progress=QUIET)
"""
DIE_AT_FLUSH = """
import os, signal, sys
left, fsync = int(sys.argv[2]), os.fsync
def dying(handle):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(handle)
os.fsync = dying
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The artifacts of a run that nobody disturbs, its seconds and its flushes."""
    out = tmp_path_factory.mktemp("undisturbed")
    process = start(f"{DIE_AT_FLUSH}{RUN}print(-left)", out, 0, TOY_PAUSE="0.05")
    assert process.stdout.readline() == "ready\n"
    began = time.monotonic()
    said, _ = process.communicate(timeout=120)
    return contents(out / "store"), time.monotonic() - began, int(said)


def finish(lab, expected):
    """What is there is whole; the next run completes it."""
    for key in {name.partition("/")[0] for name in contents(lab.store.folder)}:
        assert lab.store.state(key) == "stored"
    assert lab.run().status == "done"
    assert contents(lab.store.folder) == expected
    assert list((lab.store.folder / "tmp").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", range(INSTANTS))
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_stopped_at_a_random_instant(lab, undisturbed, number, sent):
    expected, seconds, _ = undisturbed
    process = start(RUN, lab.out, TOY_PAUSE="0.05")
    process.stdout.readline()
    time.sleep(random.Random(f"{sent}{number}").uniform(0, seconds))
    process.send_signal(sent)
    process.communicate(timeout=60)
    finish(lab, expected)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(INSTANTS))
def test_killed_while_something_reaches_the_disk(lab, undisturbed, number):
    """Wall-clock instants seldom fall into a write; these always do."""
    expected, _, flushes = undisturbed
    flush = 1 + number * flushes // INSTANTS
    process = start(DIE_AT_FLUSH + RUN, lab.out, flush)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    finish(lab, expected)


def test_an_interrupt_is_not_swallowed(lab):
    process = start(RUN, lab.out, TOY_PAUSE="0.5")
    process.stdout.readline()
    while not (lab.store.folder / "tmp").exists() and process.poll() is None:
        time.sleep(0.02)
        if (lab.store.folder / "locks").exists():
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in said
    assert Lab(lab.out).run().status == "done"
