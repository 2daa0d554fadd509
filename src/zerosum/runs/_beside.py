"""The JSON of what was measured of a run beside D: harms, averages of weights, branches, the monitor, n-grams."""

from collections.abc import Callable
from typing import Any

from zerosum.interference.labelled import Branches, HarmMatrices, RawAndAveraged
from zerosum.runs._monitor_log import MonitorLog
from zerosum.runs._ngrams import ngrams_document
from zerosum.tokens.ngrams import NgramLadder


def documents_beside(get: Callable[[type[Any]], Any]) -> dict[str, Any]:
    """`harms`, `averages`, `branches`, `monitor` and `ngrams`; what was not measured has no key.

    get: a run's record of a type.
    """
    document: dict[str, Any] = {}
    if harms := get(HarmMatrices):
        document["harms"] = [matrix.to_json() for matrix in harms.matrices]
    if averaged := get(RawAndAveraged):
        document |= averaged.to_json()
    if branches := get(Branches):
        document["branches"] = branches.to_json()
    if monitor := get(MonitorLog):
        document["monitor"] = monitor.to_json()
    return document | ngrams_document(get(NgramLadder))
