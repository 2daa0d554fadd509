"""The comparison names what changed, where, and with both values; what may change is not named."""

import copy
import json

import pytest
from golden_json import NUMPY, TORCH, differences, normalised, written

DOCUMENT = {
    "runs": [{"N": 10, "D": 0.25, "delta_L": -1e-9, "verdict": "decelerates", "null": None, "null_reason": "one unit"}],
    "versions": {"numpy": "2.4.6"},
    "machine": "Linux",
    "method": "bootstrap-t over units",
    "fit": {"t_d": 100.0},
}
GOLDEN = normalised(DOCUMENT, TORCH.digits)


def changed(**values):
    document = copy.deepcopy(DOCUMENT)
    document["runs"][0] |= values
    return document


def compared(document, tolerance=TORCH):
    return list(differences(GOLDEN, normalised(document, tolerance.digits), tolerance))


@pytest.mark.parametrize(
    ("document", "difference"),
    [
        (changed(N=11), "$.runs[0].N: 10, not 11"),
        (changed(N=10.0), "$.runs[0].N: 10, not 10.0"),
        (changed(D=0.2504), "$.runs[0].D: 0.25, not 0.2504"),
        (changed(D=None), "$.runs[0].D: 0.25, not null"),
        (changed(verdict="cannot-tell"), '$.runs[0].verdict: "decelerates", not "cannot-tell"'),
        (changed(null_reason=" "), '$.runs[0].null_reason: "<text>", not ""'),
        (changed(more=1), "$.runs[0].more: is new"),
        (DOCUMENT | {"runs": []}, "$.runs: 1 entries, not 0"),
        (DOCUMENT | {"versions": {"torch": "2.13"}}, "$.versions.numpy: is gone"),
        (DOCUMENT | {"fit": {"t_d": 100.2}}, "$.fit.t_d: 100.0, not 100.2"),
        (DOCUMENT | {"method": "exact"}, '$.method: "<text>", not "exact"'),
    ],
)
def test_a_change_is_named(document, difference):
    assert compared(document)[0] == difference


@pytest.mark.parametrize(
    "document",
    [
        changed(),
        changed(D=0.2501),
        changed(delta_L=2e-9),
        changed(null_reason="a single unit has no interval"),
        DOCUMENT | {"versions": {"numpy": "3.0"}, "machine": "Darwin", "method": "jackknife over units"},
        DOCUMENT | {"fit": {"t_d": 100.01}},
    ],
)
def test_what_may_differ_is_not_named(document):
    assert compared(document) == []


def test_without_torch_the_tolerance_is_narrow():
    assert compared(changed(D=0.25 * (1 + 1e-6)), NUMPY) == ["$.runs[0].D: 0.25, not 0.25000025"]


def test_a_golden_file_reads_as_what_was_written():
    long = {"rows": [{"a": list(range(60)), "text": "é\n"}, {}], "none": None}
    assert json.loads(written(long)) == long
    assert max(map(len, written(long).splitlines())) <= 120
