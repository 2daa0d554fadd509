"""Columns whose values are labels: of a split, a run, a rank. Knows names and values; decides nothing about rows."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from zerosum.curves._table import Cells

MOST_LABELS = 1_000  # different values; a column with more holds times or texts
MISSING = "(none)"  # the label of a row whose cell is empty

SPLIT_NAMES = {"split", "type", "mode", "phase", "stage", "event", "tag", "kind", "subset", "partition", "set", "loop"}
RUN_NAMES = {
    *("run", "run_id", "run_name", "name", "id", "job", "job_name", "experiment", "exp", "exp_name", "trial"),
    *(
        "model",
        "model_name",
        "model_size",
        "size",
        "variant",
        "config",
        "arch",
        "trial_id",
        "seed",
        "fold",
        "replicate",
        "group",
    ),
}
RANK_NAMES = {
    *("rank", "local_rank", "global_rank", "world_rank", "dp_rank", "replica", "shard", "process", "process_index"),
    *("process_id", "worker", "worker_id", "gpu", "gpu_id", "device", "device_id", "node", "host", "hostname"),
}

_TRAINING = re.compile(r"(is_?)?(train(ing)?|trn|tr|fit|learn(ing)?)([\s_/:.-].*)?")
_EVALUATION = re.compile(
    r"(is_?)?(val|valid(ation|ating|ate)?|eval(uation|uating|uate)?|test(ing)?|dev|held[\s_-]?out|holdout|predict(ion)?"
    r"|inference|generat(e|ion)|sampl(e|ing))([\s_/:.-].*)?"
)
_EVERY_STEP = re.compile(r"[\s_/:.-](step|batch|iter|iteration|inner|update)s?$")


@dataclass(frozen=True)
class Labels:
    """The labels of one column. values: each once, in the order of appearance. codes: [n] index into `values`."""

    column: str
    values: tuple[str, ...]
    codes: Int[np.ndarray, " n"]

    def rows(self, value: str) -> Bool[np.ndarray, " n"]:
        """Which rows carry a label."""
        rows: Bool[np.ndarray, " n"] = self.codes == self.values.index(value)
        return rows

    def among(self, rows: Bool[np.ndarray, " n"]) -> "Labels":
        """The labels of some of the rows, with those values only that occur in them."""
        codes = self.codes[rows]
        used, first = np.unique(codes, return_index=True)
        used = used[np.argsort(first)]
        place = np.full(len(self.values), -1)
        place[used] = np.arange(len(used))
        return Labels(self.column, tuple(self.values[k] for k in used), place[codes])

    def counts(self) -> dict[str, int]:
        """How many rows carry each label."""
        return dict(zip(self.values, np.bincount(self.codes, minlength=len(self.values)).tolist(), strict=True))


def labels_of(column: str, cells: Cells) -> Labels | None:
    """A column as labels; None where it has too many different values.

    >>> labels_of("split", ["train", "val", "train"]).values
    ('train', 'val')
    """
    codes: dict[str, int] = {}
    coded: list[int] = []
    for cell in cells:
        coded.append(codes.setdefault(label(cell), len(codes)))
        if len(codes) > MOST_LABELS:
            return None
    return Labels(column, tuple(codes), np.array(coded, dtype=np.int64))


def label(cell: Any) -> str:
    """A cell as a label: whole numbers without a point, truth values in lower case.

    >>> label(3.0), label(True), label(None), label(" a ")
    ('3', 'true', '(none)', 'a')
    """
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if isinstance(cell, float | np.floating):
        return MISSING if np.isnan(cell) else f"{float(cell):.15g}"
    text = "" if cell is None else str(cell).strip()
    return text or MISSING


def training_labels(labels: Labels) -> list[str] | None:
    """The labels of training rows, where a column tells training from evaluation; [] where it holds no training.

    None where the column is about something else. Of several labels of training ("train_step", "train_epoch") the one
    of every step is taken.
    """
    named = {value: value.lower() for value in labels.values}
    if {"true", "false", MISSING} >= set(named.values()) or {"0", "1", MISSING} >= set(named.values()):
        return _of_flag(labels)
    training = [value for value, name in named.items() if _TRAINING.fullmatch(name)]
    evaluation = [value for value, name in named.items() if _EVALUATION.fullmatch(name)]
    is_split = last_part(labels.column) in SPLIT_NAMES
    others = [value for value in named if value not in training and value not in evaluation]
    if not evaluation and not (training and is_split and len(named) > 1):
        return None
    if not training:
        return others
    if len(training) == 1:
        return training
    plain = [value for value in training if named[value] in ("train", "training")]
    each_step = [value for value in training if _EVERY_STEP.search(named[value])]
    counts = labels.counts()
    return (plain or each_step or [max(training, key=counts.__getitem__)])[:1]


def _of_flag(labels: Labels) -> list[str] | None:
    """Columns such as `is_train` or `validation` that hold true and false, or 1 and 0."""
    name = last_part(labels.column)
    is_training, is_evaluation = bool(_TRAINING.fullmatch(name)), bool(_EVALUATION.fullmatch(name))
    if len(labels.values) < 2 or not (is_training or is_evaluation):
        return None
    yes = [value for value in labels.values if value in ("true", "1")]
    return yes if is_training else [value for value in labels.values if value not in yes]


def last_part(column: str) -> str:
    """A column's name without its folders, in lower case.

    >>> last_part("meta/Run-ID")
    'run_id'
    """
    return re.sub(r"[\s-]", "_", re.split(r"[/.]", column.strip().lower())[-1])
