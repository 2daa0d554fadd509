import hashlib
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from zerosum.errors import InputError
from zerosum.training.corpora.python import PythonSettings
from zerosum.training.text import encode, held_out_tokens, is_held_out, read_text, source_files


@pytest.fixture
def data(corpus: Path) -> PythonSettings:
    return PythonSettings(folder=str(corpus), held_out_share=0.3)


def test_standard_library_is_split_by_file() -> None:
    text = read_text()
    assert not set(text.train_names) & set(text.held_out_names)
    assert not [name for name in text.train_names + text.held_out_names if "-packages" in name]
    share = len(text.held_out) / (len(text.held_out) + len(text.train_names))
    assert 0.1 < share < 0.2
    assert "argparse.py" in text.train_names + text.held_out_names
    assert len(text.train) > 1_000_000


def test_standard_library_gives_the_demo_its_held_out_windows() -> None:
    held_out = held_out_tokens(read_text(), 256, 64)
    assert held_out.ids.shape == (256, 65)
    stdlib = Path(sysconfig.get_path("stdlib"))
    for row in (0, 128, 255):
        name = held_out.documents[held_out.document[row]]
        assert bytes(held_out.ids[row].tolist()) in (stdlib / name).read_bytes()


def test_train_stream_is_the_documents_in_order(data: PythonSettings, corpus: Path) -> None:
    text = read_text(data.folder, data.held_out_share)
    expected = np.concatenate([encode((corpus / name).read_bytes()) for name in sorted(text.train_names)])
    np.testing.assert_array_equal(text.train, expected)
    assert (text.train == 256).sum() == len(text.train_names)
    held_out = b"".join(encode(document).astype("<u2").tobytes() for document in text.held_out)
    assert text.sha256 == hashlib.sha256(expected.astype("<u2").tobytes() + held_out).hexdigest()


def test_split_depends_on_the_path_alone() -> None:
    # The digits pin the split: a change would move documents from training into held-out sets of existing runs.
    names = [f"module_{number}.py" for number in range(20)]
    assert [number for number, name in enumerate(names) if is_held_out(name, 0.15)] == PINNED


PINNED = [5, 14]


def test_windows_come_from_held_out_documents_and_predict_no_position_twice(data: PythonSettings) -> None:
    text = read_text(data.folder, data.held_out_share)
    held_out = data.open().held_out(60, 8)
    assert held_out.ids.dtype == np.int64
    predicted = set()
    for window, number in zip(held_out.ids, held_out.document, strict=True):
        name = held_out.documents[number]
        document = text.held_out[text.held_out_names.index(name)]
        starts = [s for s in range(0, len(document) - 8, 8) if bytes(window.tolist()) == document[s : s + 9]]
        assert starts
        predicted.add((name, bytes(window.tolist())))
    assert set(held_out.documents) <= set(text.held_out_names)


def test_every_document_gives_one_window_before_any_gives_a_second(data: PythonSettings) -> None:
    n_documents = len(read_text(data.folder, data.held_out_share).held_out)
    first = data.open().held_out(n_documents, 8)
    assert sorted(first.document.tolist()) == list(range(n_documents))
    more = data.open().held_out(2 * n_documents, 8)
    np.testing.assert_array_equal(more.ids[:n_documents], first.ids)
    assert set(np.bincount(more.document).tolist()) == {2}
    assert more.documents == first.documents


def test_same_windows_in_another_process(data: PythonSettings) -> None:
    code = (
        "from zerosum.training.corpora.python import PythonSettings; import sys;"
        f"print(PythonSettings(folder={data.folder!r}, held_out_share=0.3).open().held_out(9, 8).sha256,"
        "'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == [data.open().held_out(9, 8).sha256, "False", "False"]


def test_too_little_text_is_said(data: PythonSettings, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the held-out text has only"):
        data.open().held_out(100_000, 8)
    with pytest.raises(InputError, match="at least 1"):
        data.open().held_out(0, 8)
    with pytest.raises(InputError, match=r"not enough \.py files"):
        read_text(str(tmp_path))
    with pytest.raises(InputError, match=r"not enough \.py files"):
        read_text(str(tmp_path / "absent"))


def test_packages_links_and_copies_are_left_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("secret")
    root = tmp_path / "root"
    for name in ("site-packages/a.py", "x/dist-packages/b.py", "x/c.py", "d.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "link.py").symlink_to(outside)
    (root / "linked").symlink_to(tmp_path)
    assert [path.relative_to(root).as_posix() for path in source_files(root)] == ["d.py", "x/c.py"]

    for number in range(30):
        (root / f"copy{number}.py").write_text("the same")
        (root / f"empty{number}.py").touch()
        (root / f"own{number}.py").write_text(f"own {number}")
    text = read_text(str(root), 0.5)
    kept = text.train_names + text.held_out_names
    assert sum(name.startswith("copy") for name in kept) == 1
    assert not [name for name in kept if name.startswith("empty")]
    assert sum(name.startswith("own") for name in kept) == 30
