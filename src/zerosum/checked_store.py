"""Zarr folders with a sha256 of every file: a file that has changed or is missing is named when it is read.

This is store format 2, for losses and gradients. The manifest has one line for each file, as `sha256sum` writes it
(`cd losses.zarr && sha256sum -c loss/SHA256SUMS`), under a first line with the sha256 of these lines, so that damage to
the manifest is noticed too. Only the files that are read are hashed: 14 checkpoints of 1M tokens in float32 are 56 MB,
0.03 to 0.15 s. Stores of format 1 have no manifest; they open, with the problem `no-checksums`.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import LocalStore

from zerosum.atomic import write_text
from zerosum.errors import Damaged, InputError

FORMAT = 2
NO_CHECKSUMS = "no-checksums"  # code of the problem that a store of format 1 has
METADATA = "zarr.json"
MANIFEST = "loss/SHA256SUMS"  # in the folder of an array, because zarr warns of unknown files in that of a group

# A file may have two digests for a moment: while it is replaced, both the old and the new content are right.
Digests = Mapping[str, Collection[str]]
Blame = Callable[[Path, str], Damaged]  # (folder, "zarr.json is missing") -> the error that users read

_FIRST_LINE = re.compile(r"# zerosum store format 2, sha256 of the lines below: ([0-9a-f]{64})", re.ASCII)
_LINE = re.compile(r"([0-9a-f]{64})  (.+)", re.ASCII)


class CheckedStore(LocalStore):
    """A zarr folder to read, which compares every file with its recorded sha256.

    blame: makes the error for a file that is missing or has changed. Files without a digest are read as they are: a
    store that is still measured into has some. Raises that error, also for files that are read later.
    """

    def __init__(self, root: Path, blame: Blame):
        super().__init__(root, read_only=True)
        self._blame = blame
        self._digests: dict[str, set[str]] = {}
        self.expect(read_manifest(root, blame) or {})
        for file in [file for file in self._digests if file.endswith(METADATA)]:
            self._read(file)  # zarr would take an array without metadata for none

    def expect(self, digests: Digests) -> None:
        """Add digests that files may have."""
        for file, allowed in digests.items():
            self._digests.setdefault(file, set()).update(allowed)

    def digest(self, file: str) -> str:
        """The sha256 of a file, after the check. Raises the error for a file that is missing."""
        content = self._read(file)
        if content is None:
            raise self._blame(self.root, f"{file} is missing")
        return hashlib.sha256(content).hexdigest()

    @property
    def files(self) -> set[str]:
        """Files that are expected, and files that are there, but for the manifest and half-written chunks."""
        there = {file.relative_to(self.root).as_posix() for file in self.root.rglob("*") if file.is_file()}
        return {file for file in there | self._digests.keys() if file != MANIFEST and not file.endswith(".partial")}

    def check_all(self) -> None:
        """Check every file that has a digest, read or not."""
        for file in self._digests:
            self._read(file)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As zarr's, after the check."""
        content = await asyncio.to_thread(self._read, key)
        if content is None or byte_range is not None:
            return await super().get(key, prototype, byte_range)
        return _buffer(content, prototype)

    def get_sync(
        self, key: str, *, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """As zarr's, after the check."""
        content = self._read(key)
        if content is None or byte_range is not None:
            return super().get_sync(key, prototype=prototype, byte_range=byte_range)
        return _buffer(content, prototype)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """As zarr's, after the check."""
        ranges = list(key_ranges)
        for key, _ in ranges:
            await asyncio.to_thread(self._read, key)
        return await super().get_partial_values(prototype, ranges)

    def _read(self, file: str) -> bytes | None:
        """What is in a file, if it is what was written; None where there is none and none is expected."""
        content = _content(self.root / file)
        if file not in self._digests:
            return content
        if content is None:
            raise self._blame(self.root, f"{file} is missing")
        if file == METADATA and not _is_any_of(content, self._digests[file]):
            # Another process may have written the attributes and the manifest since the manifest was read.
            self.expect(read_manifest(self.root, self._blame) or {})
            content = _content(self.root / file) or b""
        if not _is_any_of(content, self._digests[file]):
            raise self._blame(self.root, f"{file} has changed since it was written")
        return content


def open_checked(store: CheckedStore) -> xr.Dataset:
    """The arrays of a store, read lazily. Raises whatever a damaged file leads to, InputError for a file named."""
    opened: xr.Dataset = xr.open_zarr(store, consolidated=False, chunks=None)
    return opened


def read_manifest(folder: Path, blame: Blame) -> dict[str, list[str]] | None:
    """File, relative to the folder -> the digests it may have; None for a store of format 1.

    Raises InputError where the manifest is damaged or missing, or the store is of a later format.
    """
    content = _content(folder / MANIFEST)
    if content is None:
        _require_format_1(folder, blame)
        return None
    first, _, rest = content.partition(b"\n")
    head = _FIRST_LINE.fullmatch(first.decode("utf-8", "replace"))
    if head is None or head[1] != hashlib.sha256(rest).hexdigest():
        raise blame(folder, f"{MANIFEST} has changed since it was written")
    digests: dict[str, list[str]] = {}
    for line in rest.decode("utf-8").splitlines():
        if (parts := _LINE.fullmatch(line)) is None:
            raise blame(folder, f"{MANIFEST} has changed since it was written")
        digests.setdefault(parts[2], []).append(parts[1])
    return digests


def write_manifest(folder: Path, digests: Digests) -> None:
    """Write the manifest of a folder, whole or not at all."""
    lines = [f"{digest}  {file}\n" for file in sorted(digests) for digest in sorted(set(digests[file]))]
    rest = "".join(lines)
    own = hashlib.sha256(rest.encode()).hexdigest()
    write_text(folder / MANIFEST, f"# zerosum store format {FORMAT}, sha256 of the lines below: {own}\n{rest}")


def seal(folder: Path) -> None:
    """Write the manifest of all files that are in the folder now."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    names = {file: file.relative_to(folder).as_posix() for file in files}
    write_manifest(folder, {name: [sha256_of(file)] for file, name in names.items() if name != MANIFEST})


def write_attributes(folder: Path, attributes: Mapping[str, Any], digests: Digests) -> None:
    """Write these attributes of a store, its format and its manifest, so that both fit at any moment.

    digests: of all files that the manifest lists but the one with the attributes.
    """
    file = folder / METADATA
    before = file.read_text(encoding="utf-8")
    document = json.loads(before)
    document["attributes"] = document.get("attributes", {}) | dict(attributes) | {"format": FORMAT}
    after = json.dumps(document, indent=2)
    both = [hashlib.sha256(text.encode()).hexdigest() for text in (before, after)]
    write_manifest(folder, {**digests, METADATA: both})
    write_text(file, after)
    write_manifest(folder, {**digests, METADATA: both[1:]})


def read_attributes(folder: Path, blame: Blame) -> dict[str, Any]:
    """The attributes of a group; none where it does not exist. Raises InputError where its files have changed."""
    digests = read_manifest(folder, blame)
    content = _content(folder / METADATA)
    if digests is not None and not _is_any_of(content or b"", digests.get(METADATA, ())):
        raise blame(folder, f"{METADATA} has changed since it was written")
    try:
        attributes = json.loads(content or b"{}")["attributes"]
    except (ValueError, KeyError, TypeError):
        return {}
    return attributes if isinstance(attributes, dict) else {}


def damage(folder: Path, blame: Blame) -> Damaged | None:
    """The error for the first file of the manifest that is not as it was written; None for a store of format 1."""
    try:
        CheckedStore(folder, blame).check_all()
    except Damaged as error:
        return error
    return None


def sha256_of(file: Path) -> str:
    """The sha256 of a file, as hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def no_checksums(remedy: str, steps: Collection[int] = ()) -> dict[str, Any]:
    """The problem of a store of format 1, as an entry of its attribute `problems`."""
    words = "written without checksums by an earlier version, so damage to its files goes unnoticed"
    return {"code": NO_CHECKSUMS, "steps": list(steps), "message": f"{words}. {remedy}"}


def _require_format_1(folder: Path, blame: Blame) -> None:
    """Raises InputError where a store says that it has a manifest, or is of a format that is not known yet."""
    try:
        stated = json.loads(_content(folder / METADATA) or b"{}")["attributes"]["format"]
    except (ValueError, KeyError, TypeError):
        return
    if stated == FORMAT:
        raise blame(folder, f"{MANIFEST} is missing")
    raise InputError(f"{folder}: store format {stated!r}, but this version reads 1 and 2. Install a newer zerosum.")


def _buffer(content: bytes, prototype: BufferPrototype | None) -> Buffer:
    return (prototype or default_buffer_prototype()).buffer.from_bytes(content)


def _is_any_of(content: bytes, digests: Collection[str]) -> bool:
    return hashlib.sha256(content).hexdigest() in digests


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
