"""What the tests of the models share."""

import codi_runs
import pytest
import torch
from replays import DEVICES

import tiny_models


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny models: a second thread costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=DEVICES)
def device(request):
    """Where replayed models are."""
    return request.param


@pytest.fixture(scope="session")
def codi_folder(tmp_path_factory):
    """A small CODI checkpoint."""
    folder = tmp_path_factory.mktemp("codi") / "c"
    return tiny_models.write_codi(folder, layers=codi_runs.LAYERS, d=codi_runs.D_MODEL)


@pytest.fixture(scope="session")
def codi(codi_folder, device):
    """Its model, which is replayed."""
    model = codi_runs.loaded(codi_folder, device)
    assert model.full_because == ""
    return model


@pytest.fixture(scope="session")
def plain(codi):
    """The same as the oracle has it."""
    return codi_runs.plainly(codi)
