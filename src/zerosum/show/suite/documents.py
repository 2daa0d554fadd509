"""The same summary for scripts: full precision, plain Python numbers, null with a reason where there is no number."""

import math
from typing import Any

import numpy as np

from zerosum.interference import Interference
from zerosum.show.suite.summary import AcrossSeeds, CutoffFit, Estimate, RunSummary, SuiteSummary


def to_json(summary: SuiteSummary) -> dict[str, Any]:
    """`{title, runs[...], across_seeds, provenance}` ready for `json.dumps`; names as in the formulas, in ASCII."""
    document: dict[str, Any] = {"title": summary.title, "runs": [_run(run) for run in summary.runs]}
    if summary.across_seeds is None:
        reason = summary.across_seeds_reason or "one seed"
        document |= {"across_seeds": None, "across_seeds_reason": reason}
    else:
        document["across_seeds"] = [_seeds(size) for size in summary.across_seeds]
    document["provenance"] = plain(summary.provenance)
    return document


def plain(value: Any) -> Any:
    """Only what JSON knows: no numpy, no tuples, NaN and infinities as null."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [plain(one) for one in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def with_reasons(numbers: dict[str, float], reasons: dict[str, str]) -> dict[str, Any]:
    """Each number, and `<name>_reason` beside it where it is null."""
    found: dict[str, Any] = {}
    for name, value in numbers.items():
        found[name] = plain(value)
        if found[name] is None:
            found[f"{name}_reason"] = reasons.get(name, "not a number")
    return found


def _run(run: RunSummary) -> dict[str, Any]:
    return {
        "name": run.name,
        "n_params": run.n_params,
        "seed": run.seed,
        "steps": run.steps,
        "tokens_per_step": run.tokens_per_step,
        **estimate_json("final_loss", run.final_loss),
        "fit": _fit(run),
        "cutoffs": [_cutoff(row) for row in run.cutoffs],
        "double": [
            {"from_step": pair.from_step, "to_step": pair.to_step, **interference(pair.interference)}
            for pair in run.double
        ],
        "unpaired": list(run.unpaired),
        "one_step": [{"step": one.step, "split": one.split, **interference(one.interference)} for one in run.one_step],
    }


def _fit(run: RunSummary) -> dict[str, Any]:
    """The fit without its own table of cut-offs: that of the run, with verdicts, stands beside it."""
    document: dict[str, Any] = plain(run.fit.to_json())
    return {name: value for name, value in document.items() if name != "cutoffs"}


def _cutoff(row: CutoffFit) -> dict[str, Any]:
    numbers = {name: getattr(row, name) for name in ("L_d", "t_d", "r_d", "rsle")}
    why = row.reason or "not identified"
    document = {"cutoff": plain(row.cutoff), **with_reasons(numbers, dict.fromkeys(numbers, why))}
    document |= {"n_points": row.n_points, "verdict": row.verdict}
    return document | ({"verdict_reason": row.reason} if row.reason else {})


def interference(found: Interference) -> dict[str, Any]:
    """One measurement: numbers, N, nulls and how they were made, interval or why there is none."""
    return found.to_json()


def estimate_json(name: str, found: Estimate) -> dict[str, Any]:
    """`name`, `name_interval`, `name_N`, and reasons where one of them is null."""
    ends = list(found.interval) if found.interval else None
    reason = found.reason or "not given"
    document = with_reasons({name: found.value}, {name: reason}) | {f"{name}_interval": plain(ends)}
    if ends is None:
        document[f"{name}_interval_reason"] = reason
    else:
        document |= {f"{name}_interval_level": found.level, f"{name}_interval_method": found.method}
    return document | {f"{name}_N": found.N, f"{name}_N_of": found.N_of}


def _seeds(size: AcrossSeeds) -> dict[str, Any]:
    document: dict[str, Any] = {"name": size.name, "n_params": size.n_params, "seeds": list(size.seeds)}
    for name in ("L_d", "t_d", "r_d", "final_loss"):
        document |= estimate_json(name, getattr(size, name))
    pairs = [{"from_step": p.from_step, "to_step": p.to_step, **estimate_json("D", p.D)} for p in size.D]
    return document | {"double": pairs}
