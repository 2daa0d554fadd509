"""Logs with damage of every kind: bytes cut, repeated, flipped or replaced, and values of wrong types.

Each function below reads many damaged logs and asserts that `read_curve` gives a curve or a one-line error.
"""

import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from read_or_refused import assert_read_or_refused
from test_read_tables import LIGHTNING
from test_read_text_logs import LLMC_PRINTED, LOGS
from written import event_file, field, history, log_file, put, record, simple

from zerosum.curves import read_curve
from zerosum.errors import InputError

STEPS = range(1, 17)
POINTS = {step: float(np.float32(4 - step / 50)) for step in STEPS}
NASTY = [
    b"", b"nan", b"NaN", b"inf", b"-1", b"1e999", b"9" * 400, b"-" + b"9" * 5_000, b"0x10", b"1_000", b"true", b"null",
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe9", b'"', b"'", b",", b"\n", b"\r", b"{", b"[" * 2_000, b"}", b"step",
    b"loss",    b"\x1b[31m", "\u0663".encode(), "\u2028".encode(), b"\xff" * 10, b"\x80" * 11,
]  # fmt: skip


def _parquet() -> bytes:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    import pandas as pd

    out = io.BytesIO()
    pd.DataFrame({"step": list(POINTS), "loss": list(POINTS.values()), "note": "x"}).to_parquet(out)
    return out.getvalue()


def _json(rows: object, **more: object) -> bytes:
    return json.dumps(rows, **more).encode()


def _npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(list(POINTS.values())))
    return out.getvalue()


def _npz() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, step=list(POINTS), loss=list(POINTS.values()))
    return out.getvalue()


ROWS = [{"step": step, "loss": loss, "lr": 0.1, "note": "x"} for step, loss in POINTS.items()]
GOLDEN = {"start_step": 1, "end_step": 16, "step_interval": 1, "values": {str(s): y for s, y in POINTS.items()}}
SEEDS = {
    "csv": lambda: b"step,loss,note\n" + b"".join(b"%d,%r,x\n" % (s, y) for s, y in POINTS.items()),
    "lightning": lambda: LIGHTNING.encode(),
    "jsonl": lambda: b"".join(_json(row) + b"\n" for row in ROWS),
    "json rows": lambda: _json(ROWS),
    "json columns": lambda: _json({"step": list(POINTS), "loss": list(POINTS.values())}, indent=1),
    "trainer_state": lambda: _json({"global_step": 16, "log_history": ROWS, "logging_steps": 10}, indent=2),
    "golden values": lambda: _json({"lm loss": GOLDEN}, indent=2),
    "parquet": _parquet,
    "npy": _npy,
    "npz": _npz,
    "json list": lambda: _json(list(POINTS.values())),
    "json inside": lambda: _json({"config": {"lr": 0.1}, "train": ROWS, "val": ROWS[:3]}),
    "json by step": lambda: _json({str(s): {"loss": y} for s, y in POINTS.items()}),
    "numbers": lambda: b"".join(b"%r\n" % y for y in POINTS.values()),
    "text log": lambda: b"".join(b"INFO: step %d/99 | loss: %r | lr 1.0e-04\n" % (s, y) for s, y in POINTS.items()),
    "text blocks": lambda: b"".join(b"[step=%d]\n  loss=%r\n  val loss=9.5\n" % (s, y) for s, y in POINTS.items()),
    "text dicts": lambda: b"".join(b"%r\n" % ({"loss": y, "epoch": s},) for s, y in POINTS.items()),
    "tensorboard": lambda: event_file([(step, {"loss": loss, "lr": 0.1}) for step, loss in POINTS.items()]),
    "wandb": lambda: log_file([history({"_step": step, "loss": loss, "a": {"b": 1}}) for step, loss in POINTS.items()]),
    "llm.c as printed": lambda: LLMC_PRINTED.encode(),
    **{kind: lambda text=text: text.encode() for kind, (text, _, _) in LOGS.items()},
}
CHECKSUMMED = ("tensorboard", "wandb")
TYPED = (
    "jsonl",
    "json rows",
    "json columns",
    "trainer_state",
    "golden values",
    "wandb",
    "json list",
    "json inside",
    "json by step",
)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One to four things that happen to files."""
    for _ in range(rng.integers(1, 5)):
        at, end = sorted(rng.integers(0, len(data) + 1, 2))
        part = data[at:end]
        kind = rng.integers(8)
        if kind == 0:
            data = data[:end]
        elif kind == 1:
            data = data[:at] + data[end:]
        elif kind == 2:
            data = data[:end] + part[:2_000] + data[end:]
        elif kind == 3:
            data = data[:at] + NASTY[rng.integers(len(NASTY))] + data[at + rng.integers(4) :]
        elif kind == 4:
            data = data[:at] + rng.bytes(int(rng.integers(1, 30))) + data[at:]
        elif kind == 5 and data:
            flipped = bytearray(data)
            for place in rng.integers(0, len(data), 3):
                flipped[place] ^= 1 << rng.integers(8)
            data = bytes(flipped)
        elif kind == 6:
            data = data.decode("latin-1").encode(rng.choice(["utf-16", "utf-8-sig", "utf-32"]))
        else:  # a number becomes another thing
            digits = [k for k in range(len(data)) if data[k : k + 1].isdigit()] or [0]
            k = digits[rng.integers(len(digits))]
            data = data[:k] + NASTY[rng.integers(len(NASTY))] + data[k + 1 :]
    return data


def read_damaged_logs(kind: str, folder: Path, cases: int) -> None:
    """Logs of one of SEEDS. Where a checksum protects the points, no other point may be read."""
    whole = SEEDS[kind]()
    path = folder / "damaged"
    for case in range(cases):
        rng = np.random.default_rng(case)
        data = damaged(whole, rng)
        path.write_bytes(data)
        named = path.rename(folder / rng.choice(["run.csv", "run.jsonl", "run.log", "run", "trainer_state.json"]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert_read_or_refused(named)
                if kind in CHECKSUMMED:
                    assert_only_points_that_were_written(named)
        except BaseException as error:
            error.add_note(f"case {case}: {data[:300]!r}")
            raise
        named.unlink()


def read_damage_under_right_checksums(kind: str, folder: Path, cases: int) -> None:
    """Logs of one of CHECKSUMMED: the frames are right and their content is not, as from another version."""
    inside, frame = {
        "tensorboard": ([field(2, s) + field(5, field(1, simple("loss", y))) for s, y in POINTS.items()], _events),
        "wandb": ([history({"_step": s, "loss": y, "a": {"b": 1}}) for s, y in POINTS.items()], log_file),
    }[kind]
    for case in range(cases):
        rng = np.random.default_rng(case)
        records = [damaged(part, rng) if rng.random() < 0.2 else part for part in inside]
        assert_read_or_refused(put(folder / "damaged", frame(records)))


def _events(records: list[bytes]) -> bytes:
    return b"".join(map(record, records))


WRONG = [
    None,
    True,
    {},
    [],
    [1],
    {"a": {"b": 1}},
    "x",
    "nan",
    "",
    -1,
    0,
    1e308,
    10**400,
    -(10**400),
    2**63,
    float("nan"),
]


def read_wrong_types(kind: str, folder: Path, cases: int) -> None:
    """Logs of one of TYPED with a few values of another type."""
    for case in range(cases):
        rng = np.random.default_rng(case)
        if kind == "wandb":
            data = log_file([history(retyped(row, rng)) for row in ROWS])
        elif kind == "jsonl":
            data = b"".join(_json(retyped(row, rng)) + b"\n" for row in ROWS)
        else:
            data = _json(retyped(json.loads(SEEDS[kind]()), rng))
        assert_read_or_refused(put(folder / "damaged.json", data))


def retyped(value: object, rng: np.random.Generator) -> object:
    """The same value with a few things inside it of another type."""
    if isinstance(value, dict):
        return {key: _perhaps(inner, rng) for key, inner in value.items()}
    if isinstance(value, list):
        return [_perhaps(inner, rng) for inner in value]
    return value


def _perhaps(value: object, rng: np.random.Generator) -> object:
    return WRONG[rng.integers(len(WRONG))] if rng.random() < 0.03 else retyped(value, rng)


def assert_only_points_that_were_written(path):
    try:
        curve = read_curve(path)
    except InputError:
        return
    assert {(step, loss) for step, loss in zip(curve.step, curve.loss, strict=True)} <= set(POINTS.items())
