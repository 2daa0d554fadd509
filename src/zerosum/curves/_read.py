"""`read_curve`: a path -> a `LossCurve`, whatever wrote the file."""

from os import PathLike
from pathlib import Path

from zerosum.curves._curve import LossCurve
from zerosum.curves._format import Format
from zerosum.curves.cleaning import OnResume, clean_curve
from zerosum.curves.columns import choose_columns
from zerosum.curves.formats import known_formats
from zerosum.errors import InputError

HEAD_BYTES = 65_536  # how much of a file a format sees to recognise it
NAMELESS = {"metrics", "loss", "losses", "log", "logs", "history", "train", "curve"}


def read_curve(
    path: str | PathLike[str], *, loss: str | None = None, step: str | None = None, on_resume: OnResume = "last"
) -> LossCurve:
    """Read the training loss curve in a file.

    path: CSV, TSV or JSON lines; the format is told by the content, else by the name.
    loss, step: column names, where the usual ones are not used or several fit.
    on_resume: which of the steps trained twice stays when a run was resumed, or "error".
    What was changed on the way is in the curve's `cleaning`.

    Raises InputError, one line, when the file cannot be read, or when a column could not be told for sure.
    """
    path = Path(path)
    form = _format_of(path, _head(path))
    columns = form.read(
        path, lambda names: choose_columns(names, source=str(path), overrides={"loss": loss, "step": step})
    )
    return clean_curve(
        _name_of(path),
        columns.axes["step"],
        columns.axes["loss"],
        tokens=columns.axes.get("tokens"),
        lr=columns.axes.get("lr"),
        source=str(path),
        format=columns.format,
        said=columns.said,
        columns=columns.names,
        on_resume=on_resume,
    )


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputError(f"{path}: a folder. Name the log file inside it.")
        with path.open("rb") as handle:
            head = handle.read(HEAD_BYTES)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read ({cause}). Check the path and its permissions.") from None
    if not head.strip():
        raise InputError(f"{path}: the file is empty. Give a log with at least one loss.")
    return head


def _format_of(path: Path, head: bytes) -> Format:
    formats = known_formats()
    for form in formats:
        if form.matches(head):
            return form
    for form in formats:
        if path.suffix.lower() in form.suffixes and b"\0" not in head:
            return form
    names = ", ".join(form.name for form in formats)
    kind = "binary" if b"\0" in head else "text of a kind not known"
    raise InputError(f"{path}: not a loss log ({kind}). Known formats: {names}.")


def _name_of(path: Path) -> str:
    stem = path.stem
    parent = path.resolve().parent.name
    return parent if stem.lower() in NAMELESS and parent else stem
