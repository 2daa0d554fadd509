"""`read_curve`: a path -> a `LossCurve`, whatever wrote the file."""

import re
from collections.abc import Mapping
from fnmatch import fnmatch
from os import PathLike
from pathlib import Path

from zerosum.curves._curve import LossCurve
from zerosum.curves._format import GENERAL, HEAD_BYTES, Columns, Format
from zerosum.curves.cleaning import OnRepeat, OnResume, clean_curve
from zerosum.curves.column_names import ALIASES
from zerosum.curves.columns import Chooser
from zerosum.curves.folders import Log, find_log, run_log
from zerosum.curves.formats import known_formats
from zerosum.curves.pattern import by_pattern, compile_pattern
from zerosum.curves.units import in_nats
from zerosum.curves.wandb_online import is_online, read_online
from zerosum.errors import InputError

LATE_BYTES = 1 << 26  # how far into a text the first line of a log may come, after a script's source or warnings
NAMELESS = {"metrics", "loss", "losses", "log", "logs", "history", "train", "curve", "trainer_state", "main", "output"}
NAMELESS_FOLDER = re.compile(r"checkpoint-\d+")
COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def read_curve(
    source: str | PathLike[str],
    *,
    loss: str | None = None,
    step: str | None = None,
    tokens: str | None = None,
    lr: str | None = None,
    where: Mapping[str, str] | None = None,
    job: int | None = None,
    every: int | None = None,
    pattern: str | None = None,
    on_resume: OnResume = "last",
    on_repeat: OnRepeat | None = None,
    bytes_per_token: float | int | None = None,
) -> LossCurve:
    """Read the training loss curve that a file, a run's folder or a W&B run holds.

    source: CSV, TSV, Parquet, JSON lines, a JSON table, `trainer_state.json`, Lightning's `metrics.csv`, a TensorBoard
    event file, a `.wandb` file, Megatron's golden values, a text log of nanoGPT, build-nanogpt, llm.c, modded-nanogpt,
    nanochat, torchtitan or Megatron; a folder with one of them in the place its trainer puts it; or
    `wandb:entity/project/run_id`. The format is told by the content, else by the name.
    loss, step, tokens, lr: column names, where the usual ones are not used or several fit.
    where: the rows to read, by column and value, such as {"model": "small"}, where a table holds several runs.
    job: which job of a log to read, from 1, where several follow each other; None reads the longest and says so.
    on_repeat: what to take where most steps have several losses that no column tells apart: "last", "first", "mean".
    every: how many steps each loss stands for, in a log without steps; its losses are counted every, 2 every, ...
    pattern: regular expression with the named group loss, and step, tokens, lr, for the lines of a text log.
    on_resume: which of the steps trained twice stays when a run was resumed, or "error".
    bytes_per_token: says that the loss is in bits per byte, and converts it.
    What was changed on the way is in the curve's `cleaning`; the format and columns in `format` and `columns`.

    Raises InputError, one line, when the source cannot be read, or when a column could not be told for sure.
    """
    if every is not None and not (isinstance(every, int) and every >= 1):
        raise InputError(f"every: {every} is not a whole number above 0. Say how many steps each loss stands for.")
    expression = None if pattern is None else compile_pattern(pattern)
    overrides = {"loss": loss, "step": step, "tokens": tokens, "lr": lr}
    if isinstance(source, str) and is_online(source):
        choose = Chooser(source, overrides, where or {}, every)
        label, name, log = source, source.rstrip("/").rsplit("/", 1)[-1], Log((), None)
        columns = read_online(source, choose)
    else:
        path = Path(source)
        log, form = log_at(path, expression)
        label = str(log.files[-1] if len(log.files) == 1 else path)
        choose = Chooser(label, overrides, where or {}, every)
        name = _name_of(path)
        columns = _read_files(form, log, choose)
    if choose.where and not choose.rows_chosen:
        raise InputError(f"{label}: a log without columns of labels ({columns.format}). Leave out where (--where).")
    factor = None if bytes_per_token is None else float(bytes_per_token)
    axes = columns.axes
    losses, converted = in_nats(axes["loss"], columns.names["loss"], factor, label, axes.get("perplexity"))
    title = " ".join(columns.title.split())[:200]
    return clean_curve(
        title or name,
        axes["step"],
        losses,
        tokens=axes.get("tokens"),
        lr=axes.get("lr"),
        epoch=axes.get("epoch"),
        total_steps=axes.get("total_steps"),
        source=label,
        format=columns.format,
        notes=(*log.notes, *columns.notes, *choose.notes, *converted),
        columns={axis: name for axis, name in columns.names.items() if axis in ALIASES},
        on_resume=on_resume,
        on_repeat=on_repeat,
        job=job,
    )


def log_files(folder: Path) -> tuple[Path, ...]:
    """The files of a run's folder that `read_curve` reads: our own log where there is one.

    Raises InputError where there is none, or where there are several runs.
    """
    ours = run_log(folder)
    return (ours,) if ours != folder else find_log(folder, known_formats()).files


def _read_files(form: Format, log: Log, choose: Chooser) -> Columns:
    try:
        return form.read(log.files, choose)
    except OSError as error:
        raise _unreadable(log.files[-1], error) from None


def log_at(path: Path, expression: re.Pattern[str] | None = None) -> tuple[Log, Format]:
    """The log that a path names, and its format. expression: for the lines of a text log.

    Raises InputError where there is none, or where its format is not known.
    """
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:  # a name that no file can have, or a folder that may not be entered
        raise _unreadable(path, error) from None
    log = find_log(path, known_formats()) if is_folder else Log((path,), None)
    head = _head(log.files[0])
    if expression is not None:
        return log, by_pattern(expression)
    return log, log.format or _format_of(log.files[0], head)


def _head(path: Path, size: int = HEAD_BYTES) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: a pipe or device, not a file. Write it to a file first.")
        with path.open("rb") as handle:
            head = handle.read(size)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not head.strip():
        raise InputError(f"{path}: the file is empty. Give a log with at least one loss.")
    return head


def _unreadable(path: Path, error: Exception) -> InputError:
    cause = getattr(error, "strerror", None) or str(error)
    return InputError(f"{path}: cannot be read ({cause}). Check the path and its permissions.")


def _format_of(path: Path, head: bytes) -> Format:
    formats = known_formats()
    for form in formats:
        # Lines of a special reader may come late: the general one is asked when the others have seen more.
        if (form.rank < GENERAL or len(head) < HEAD_BYTES) and form.matches(head, path.name):
            return form
    binary = b"\0" in head
    if not binary:
        more = _head(path, LATE_BYTES) if len(head) == HEAD_BYTES else head
        for form in formats:
            if form.anywhere and form.matches(more, path.name):
                return form
    for form in formats:
        if not binary and any(fnmatch(path.name.lower(), name) for name in form.named):
            return form
    names = ", ".join(form.name for form in formats)
    packed = next((kind for magic, kind in COMPRESSED.items() if head.startswith(magic)), None)
    kind = f"{packed}: unpack it first" if packed else "binary" if binary else "text of a kind not known"
    remedy = "" if packed or binary else " Or say how its lines look: pattern=REGEX (--pattern) with a group loss."
    raise InputError(f"{path}: not a loss log ({kind}). Known formats: {names}.{remedy}")


def _name_of(path: Path) -> str:
    """The name of a run: that of its log file, or of its folder where the file has a generic name."""
    path = path.resolve()
    if path.is_dir():
        return path.name or str(path)
    folders = [folder.name for folder in path.parents if folder.name and not NAMELESS_FOLDER.fullmatch(folder.name)]
    nameless = path.stem.lower() in NAMELESS or "tfevents" in path.name
    return folders[0] if nameless and folders else path.stem
