"""Every key in the golden JSON of `zerosum losses`, `step`, `scaling`, `watch` and `bench` is explained in the docs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zerosum.curves.monitor_rows import PREFIX
from zerosum.monitor.names import meanings

ROOT = Path(__file__).parents[2]
DOCUMENTED = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
# Explained once, as `<name>_interval`.
OF_AN_ESTIMATE = re.compile("(_interval(_level|_method|_reason)?|_N(_of)?|_reason)$")


NAMED_BY_DATA = ("settings", "ngrams")  # their keys are names that the input chose


def keys(document: Any) -> Iterator[str]:
    """All keys of a document, at any depth."""
    for name, value in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(value, dict | list) and name not in NAMED_BY_DATA:
            yield from keys(value)
    if isinstance(document, dict):
        yield from document


@pytest.mark.parametrize("verb", ["losses", "step", "scaling", "watch", "bench"])
def test_every_key_is_explained(verb: str) -> None:
    section = DOCUMENTED.partition(f"## `zerosum {verb}`")[2].partition("\n## ")[0]
    documents = [json.loads(path.read_text("utf-8")) for path in (ROOT / "tests" / "golden").glob(f"{verb}*.json")]
    names = {OF_AN_ESTIMATE.sub("", key) for document in documents for key in keys(document)}
    names -= {name.removeprefix(PREFIX) for name in meanings()}  # docs/monitor.md has them
    assert documents
    assert {name for name in names if f"`{name}`" not in section and f'"{name}"' not in section} == set()
    assert verb != "losses" or "entropy" in names
