"""Packages of source files as domains: as many windows of each, from its own documents, with their own text."""

import numpy as np
import pytest

from zerosum.training.packages import held_out_windows_of, largest_packages, package_of, train_windows
from zerosum.training.text import read_text


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Packages a to d of 12 files each, every file with a letter of its own package, and a few loose modules."""
    root = tmp_path_factory.mktemp("packages")
    for package, letter, length in (("a", "x", 300), ("b", "y", 200), ("c", "z", 100), ("", "w", 50)):
        (root / package).mkdir(exist_ok=True)
        for number in range(12):
            (root / package / f"m{number}.py").write_text(f"{number:03}" + letter * (length + number))
    return read_text(str(root), held_out_share=0.4)


def test_the_largest_packages_are_those_with_the_most_held_out_text(text):
    sizes = {}
    for name, content in zip(text.held_out_names, text.held_out, strict=True):
        sizes[package_of(name)] = sizes.get(package_of(name), 0) + len(content)
    assert list(largest_packages(text, 3)) == sorted(sizes, key=sizes.get, reverse=True)[:3]


@pytest.mark.parametrize("windows_of", [train_windows, held_out_windows_of])
def test_windows_are_of_their_package_and_as_many_of_each(text, windows_of):
    packages = ("c", "a", "modules")
    windows = windows_of(text, packages, 6, 16)
    assert windows.domains == packages
    assert np.bincount(windows.domain).tolist() == [6, 6, 6]
    names = text.train_names if windows_of is train_windows else text.held_out_names
    letters = {"a": "x", "c": "z", "modules": "w"}
    for ids, document, domain in zip(windows.ids, windows.document, windows.domain, strict=True):
        assert windows.documents[document] in names
        assert package_of(windows.documents[document]) == packages[domain]
        assert set(bytes(ids.astype(np.uint8)).decode()) <= set("0123456789") | {letters[packages[domain]]}
