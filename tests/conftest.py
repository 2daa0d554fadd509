"""Fixtures that every room may use."""

import gc
import os
import shutil
from pathlib import Path

import pytest
from type_checks import check_package

check_package()  # before anything imports it
from tiny import repeating_tokens, save_trained_run  # noqa: E402
from warm_processes import warm_processes  # noqa: E402

from zerosum.memory import hold_freed_memory  # noqa: E402

gc.set_threshold(50_000)
hold_freed_memory()


def pytest_addoption(parser):
    parser.addoption("--renew-golden", action="store_true", help="Write the files of tests/golden anew.")


def pytest_collection_finish():
    """Garbage collections need not look again at torch, transformers and the tests themselves: they stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published curves and gold vectors; tests that need it skip where it is absent."""
    named = os.environ.get("ZEROSUM_REFERENCE_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "curves").is_dir():
        pytest.skip(f"{folder}: no reference data here; name its folder in ZEROSUM_REFERENCE_DATA")
    return folder


@pytest.fixture(scope="session")
def processes():
    """A context whose processes begin with torch already imported."""
    return warm_processes()


@pytest.fixture
def blank_figures(monkeypatch):
    """Every file of a figure, without the drawing, which takes seconds; tests/show draws them all."""
    from zerosum.show.drawing import Drawing

    svg, pdf = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>', b"%PDF-"

    def blank(figure, report, for_print=False):
        return Drawing(svg, svg, pdf, pdf if for_print else b"")

    monkeypatch.setattr("zerosum.show.folder.draw", blank)


@pytest.fixture
def tokens():
    """3 sequences of 12 predictions, with repeated ids."""
    return repeating_tokens()


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """A run of `save_trained_run`; only read. `run` is a copy to write into."""
    return save_trained_run(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of the trained run, of the test's own."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))
