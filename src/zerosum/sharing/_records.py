"""Results that are small: one JSON file for each piece, whole or not there."""

import hashlib
import json
from pathlib import Path
from typing import Any

from zerosum.atomic import write_text
from zerosum.sharing._work import Results

Document = dict[str, Any]
_SEAL = ',\n "sha256": "%s"\n}\n'  # end of a file: the sha256 of the text before


class Records(Results[Document]):
    """The finished pieces of a job: a piece is finished when the file `<piece><suffix>` exists."""

    def __init__(self, folder: Path, suffix: str = ".done"):
        self.folder = folder
        self._suffix = suffix

    def finished(self) -> set[str]:
        """Pieces that have a record."""
        return {file.name.removesuffix(self._suffix) for file in self.folder.glob(f"*{self._suffix}")}

    def is_finished(self, piece: str) -> bool:
        """Whether a piece has a record."""
        return self.file(piece).is_file()

    def add(self, piece: str, result: Document) -> None:
        """Write the record of a piece."""
        write_text(self.file(piece), json.dumps(result) + "\n")

    def read(self, piece: str) -> Document | None:
        """The record of a piece; None where there is none or it is damaged."""
        try:
            document = json.loads(self.file(piece).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def remove(self, piece: str) -> None:
        """Forget that a piece is finished."""
        self.file(piece).unlink(missing_ok=True)

    def file(self, piece: str) -> Path:
        """Where the record of a piece is, or would be."""
        return self.folder / f"{piece}{self._suffix}"


class ResultCache(Records):
    """Results of earlier calls, each used again only under the key that it was measured with.

    key: everything the numbers depend on, as JSON. A file with another key counts as not finished, and is replaced;
    so does a file that has changed since it was written.
    """

    def __init__(self, folder: Path, key: Document):
        super().__init__(folder, ".json")
        self._key = key

    def finished(self) -> set[str]:
        """Pieces with a result under this key."""
        return {piece for piece in super().finished() if self.is_finished(piece)}

    def is_finished(self, piece: str) -> bool:
        """Whether a piece has a result under this key."""
        return self.read(piece) is not None

    def add(self, piece: str, result: Document) -> None:
        """Write a result with its key. Raises ValueError where a number is not finite."""
        text = json.dumps({"how": self._key, "measured": result}, indent=1, allow_nan=False).removesuffix("\n}")
        write_text(self.file(piece), text + _SEAL % _sha256(text))

    def read(self, piece: str) -> Document | None:
        """The result of a piece under this key; None where it has to be measured."""
        file = self.file(piece)
        key, result = (read_result(file) if file.is_file() else None) or (None, None)
        return result if key == self._key else None


def read_result(file: Path) -> tuple[Document, Document] | None:
    """Key and result in a file of a `ResultCache`; None where the file has changed since it was written.

    Files of earlier versions have no sha256; their damage is noticed only where they cannot be read.
    """
    try:
        text = file.read_bytes().decode("utf-8")
        saved = json.loads(text)
        sealed = saved.keys() != {"how", "measured"}
        if sealed:
            body = text[: -len(_SEAL % _sha256(""))]
            saved = saved if text == body + _SEAL % _sha256(body) else {}
        key, result = saved["how"], saved["measured"]
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return (key, result) if isinstance(key, dict) and isinstance(result, dict) else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
