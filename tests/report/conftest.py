"""One staged study and its report for all tests of the room."""

import json

import pytest
import vl_convert
from staged import staged
from written import report


@pytest.fixture(autouse=True, scope="session")
def drawn_once():
    """A picture that one test had drawn is given to the next: most of a report's time goes there.

    That equal specifications give equal bytes is a test that clears what is known.
    """
    known: dict[str, str | bytes] = {}

    def once(draw):
        def drawn(given, *rest):
            key = json.dumps([draw.__name__, given, *rest])
            if key not in known:
                known[key] = draw(given, *rest)
            return known[key]

        return drawn

    with pytest.MonkeyPatch.context() as patch:
        for name in ("vegalite_to_svg", "svg_to_png"):
            patch.setattr(vl_convert, name, once(getattr(vl_convert, name)))
        yield known


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    return staged(tmp_path_factory.mktemp("store"), d_sae=64, n_problems=400)


@pytest.fixture(scope="session")
def files(inputs):
    return report(inputs)
