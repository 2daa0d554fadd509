"""Packages of a text of source files as domains: the first folder of a file's path. Needs no torch."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from zerosum.tokens import END_OF_DOCUMENT, HeldOutDocument, TokenSequences, held_out_windows
from zerosum.training.text import Text


def largest_packages(text: Text, most: int) -> tuple[str, ...]:
    """The packages with the most held-out text, of those that the training text has, too; the largest first."""
    trained = {package_of(name) for name in text.train_names}
    sizes: Counter[str] = Counter()
    for name, content in zip(text.held_out_names, text.held_out, strict=True):
        if package_of(name) in trained:
            sizes[package_of(name)] += len(content)
    return tuple(name for name, _ in sizes.most_common(most))


def package_of(name: str) -> str:
    """The first folder of a path; modules that lie in no folder are a package by themselves.

    >>> package_of("email/mime/base.py"), package_of("abc.py")
    ('email', 'modules')
    """
    return name.split("/")[0] if "/" in name else "modules"


def train_windows(text: Text, packages: tuple[str, ...], each: int, length: int) -> TokenSequences:
    """Up to `each` windows of `length` predicted tokens of the training documents of each package."""
    ends = np.flatnonzero(text.train == END_OF_DOCUMENT)
    documents = np.split(text.train, ends[:-1] + 1)
    return _windows(zip(text.train_names, documents, strict=True), packages, each, length)


def held_out_windows_of(text: Text, packages: tuple[str, ...], each: int, length: int) -> TokenSequences:
    """The same of the held-out documents."""
    documents = (np.frombuffer(content, np.uint8) for content in text.held_out)
    return _windows(zip(text.held_out_names, documents, strict=True), packages, each, length)


def _windows(
    documents: "Iterator[tuple[str, np.ndarray]]", packages: tuple[str, ...], each: int, length: int
) -> TokenSequences:
    """Windows of every package in turn, as many of each."""
    of_package: dict[str, list[HeldOutDocument]] = {name: [] for name in packages}
    for number, (name, ids) in enumerate(documents):
        package = package_of(name)
        if package in of_package and len(ids) > length:
            of_package[package].append(HeldOutDocument(name, number, ids, packages.index(package)))
    parts = []
    for found in of_package.values():
        room = sum((len(document.ids) - 1) // length for document in found)
        parts.append(held_out_windows(found, min(each, room), length, packages))
    first = np.cumsum([0, *(len(part.documents) for part in parts)])
    return TokenSequences(
        ids=np.concatenate([part.ids for part in parts]),
        document=np.concatenate([part.document + start for part, start in zip(parts, first, strict=False)]),
        documents=tuple(name for part in parts for name in part.documents),
        domain_of=np.concatenate([part.domain_of for part in parts]),
        domains=packages,
        options={"data": "windows of packages", "sequence_length": length, "max_sequences": each},
    )
