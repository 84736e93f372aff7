import pytest
from toys import Lab


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path / "outputs")


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The toy components called so far, in order."""
    log = tmp_path / "calls.log"
    monkeypatch.setenv("TOY_LOG", str(log))
    return lambda: log.read_text().split() if log.exists() else []
