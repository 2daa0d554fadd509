"""Golden JSON: how a document is made the same on every machine, written, and compared."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Values that differ between machines, installed versions and calls. In the golden file stands their name in brackets.
VOLATILE = {"machine", "estimated_seconds", "weight_sha256", "weights_sha256", "tokenizer_sha256"}
# A version of each package: the packages are compared, their versions are not.
VERSIONS = {"versions"}

# Texts for people, whose wording may improve: they must be there and not be empty. In the golden file stands <text>.
# Beside these, every name that ends in _reason, _note or _method.
PROSE = {"message", "reason", "note", "notes", "cleaning", "what", "means", "measured", "remedy", "examples"}
PROSE_ENDINGS = ("_reason", "_note", "_method")
# The name holds a code in some places, and a sentence in others: a sentence where there is a space in it.
CODE_OR_PROSE = {"method"}

MAX_DIFFERENCES = 10


@dataclass(frozen=True)
class Tolerance:
    """How far a float may be from the golden one: `relative` to it, or by `floor`, whichever is more.

    The floor is for values that are differences of larger ones, and so may be nothing but rounding.
    """

    relative: float
    floor: float
    digits: int


# Processors round sums in different orders. The bounds are a few times what was seen between one with AVX-512, one with
# AVX2 and the plain code paths of NumPy and torch.
NUMPY = Tolerance(relative=1e-7, floor=1e-12, digits=13)
RESAMPLED = Tolerance(relative=1e-3, floor=1e-5, digits=9)  # ends of intervals of fits, and the spread of their starts
TORCH = Tolerance(relative=1e-3, floor=1e-5, digits=9)  # tiny models in float32
FORECAST = Tolerance(relative=1e-4, floor=1e-6, digits=13)
UNDETERMINED = Tolerance(relative=1e-2, floor=1e-5, digits=9)  # a curve need not determine all parameters of its rivals
UNDER = {"models": UNDETERMINED, "cutoffs": RESAMPLED, "forecasts": FORECAST, "backtest": FORECAST}


def normalised(value: Any, digits: int, name: str = "") -> Any:
    """The document as it is kept: volatile values and texts replaced, floats of so many significant digits."""
    if name in VOLATILE and value is not None:
        return f"<{name}>"
    if name in VERSIONS:
        return dict.fromkeys(value, "<version>")
    if isinstance(value, dict):
        prose = name in PROSE  # of each key: `examples` has a text for each level of a reason
        return {key: normalised(inner, digits, name if prose else key) for key, inner in value.items()}
    if isinstance(value, list):
        return [normalised(inner, digits, name) for inner in value]
    if isinstance(value, str) and _is_prose(name, value):
        return "<text>" if value.strip() else ""
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _is_prose(name: str, value: str) -> bool:
    return name in PROSE or name.endswith(PROSE_ENDINGS) or (name in CODE_OR_PROSE and " " in value)


def written(value: Any, indent: str = "", width: int = 120) -> str:
    """As pretty-printed JSON, except that what fits on one line stays on one line.

    >>> print(written({"a": [1, 2], "b": {}}))
    {"a": [1, 2], "b": {}}
    """
    line = json.dumps(value, allow_nan=False)
    if len(indent) + len(line) <= width or not isinstance(value, dict | list):
        return line
    deeper = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {written(inner, deeper, width)}" for key, inner in value.items()]
    else:
        parts = [written(inner, deeper, width) for inner in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{closing}"


def differences(golden: Any, now: Any, tolerance: Tolerance, path: str = "$") -> Iterator[str]:
    """Each place where `now` is not what the golden document has, as "path: golden value, not the value now"."""
    if isinstance(golden, dict) and isinstance(now, dict):
        for key in [*golden, *(key for key in now if key not in golden)]:
            if key not in now or key not in golden:
                yield f"{path}.{key}: {'is gone' if key in golden else 'is new'}"
            else:
                within = max(tolerance, UNDER.get(key, tolerance), key=lambda one: one.relative)
                yield from differences(golden[key], now[key], within, f"{path}.{key}")
    elif isinstance(golden, list) and isinstance(now, list):
        if len(golden) != len(now):
            yield f"{path}: {len(golden)} entries, not {len(now)}"
        for index, (ours, theirs) in enumerate(zip(golden, now, strict=False)):
            yield from differences(ours, theirs, tolerance, f"{path}[{index}]")
    elif not _same(golden, now, tolerance):
        yield f"{path}: {_shown(golden)}, not {_shown(now)}"


def _same(golden: Any, now: Any, tolerance: Tolerance) -> bool:
    if type(golden) is not type(now):
        return False
    if isinstance(golden, float):
        return math.isclose(golden, now, rel_tol=tolerance.relative, abs_tol=tolerance.floor)
    return bool(golden == now)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
