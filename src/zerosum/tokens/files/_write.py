"""Writes folders of token files: pieces in parallel, each written once, then both splits at the same moment.

While the work goes on, OUT/pieces.part holds what is finished. The same command continues it, also beside other
processes that run it, and gives the same bytes in any case.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zerosum.errors import InputError
from zerosum.sharing import Job, Records, locked, work_through
from zerosum.tokens._document import Fields
from zerosum.tokens._ids import Bos
from zerosum.tokens.files._encoding import PieceEncoder
from zerosum.tokens.files._index import TOKENIZER
from zerosum.tokens.files._merge import merge, read_labelled, require_disk
from zerosum.tokens.files._open import TokenFiles, is_token_folder, open_token_files
from zerosum.tokens.files._pieces import new_piece
from zerosum.tokens.files._plan import PIECE_BYTES, Plan, as_unicode, plan
from zerosum.tokens.files._sample import sample_texts
from zerosum.tokens.files._tokenizers import TokenizerChoice, choose_tokenizer, text_encoder

JOB = "pieces.part"
_MERGED = "merged.lock"
Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DataOptions:
    """What decides the bytes of the files. data: the sources. tokenizer: see `choose_tokenizer`.

    held_out: share of documents that are held out, in [0, 1). seed: of that choice. field, domain: as in `read_tokens`.
    bos: whether texts begin with the BOS token; "auto": if the tokenizer adds it by itself.
    """

    data: tuple[str, ...]
    tokenizer: str
    held_out: float | int = 0.01
    seed: int = 0
    field: str = "text"
    domain: str | None = None
    bos: Bos = "auto"

    def to_json(self) -> dict[str, Any]:
        """The options as they are written down."""
        return {**asdict(self), "data": list(map(as_unicode, self.data))}


def write_token_files(
    out: Path,
    options: DataOptions,
    *,
    jobs: int = 1,
    report: Report = lambda phase, done, total: None,
    piece_bytes: int = PIECE_BYTES,
) -> TokenFiles:
    """Write the token files of some data into the folder `out`, or continue, or open them where they are finished.

    jobs: processes. report: called with a phase of the work, the finished parts of it and all parts.
    piece_bytes: see `plan`; for tests.
    Raises InputError for data that cannot be used, a folder with something else, and a disk that is too small.
    """
    if not 0 <= options.held_out < 1:
        raise InputError(f"--held-out {options.held_out:g}: give a share from 0 to below 1.")
    if is_token_folder(out):
        files = _finished(out, options)
        files.verify()
        return files
    _require_own(out)
    planned = plan(options.data, piece_bytes)
    if not planned.pieces:
        raise InputError(f"{', '.join(options.data)}: no document has a token. Give more text.")
    job = Job(out / JOB)
    job.open()
    if is_token_folder(out):  # another process has finished in the meantime
        return _finished(out, options)
    agreed = job.agree(lambda: _begin(out, options, planned))
    if agreed is not None and _differing(agreed["options"], options, of_pieces=True) and _is_unused(job):
        job.close()
        job.open()
        agreed = job.agree(lambda: _begin(out, options, planned))
    if agreed is not None:
        if other := _differing(agreed["options"], options, of_pieces=True):
            raise InputError(
                f"{out}: holds unfinished token files of other options ({other}). Choose another --out, or delete "
                f"{job.folder} to start over."
            )
        _Work(out, options, planned, TokenizerChoice(**agreed["tokenizer"])).finish(job, jobs, report)
    return _finished(out, options)


def _begin(out: Path, options: DataOptions, planned: Plan) -> dict[str, Any]:
    """What all processes follow: the options, and the tokenizer, which is saved."""
    fields = Fields(options.field, options.domain)
    choice = choose_tokenizer(
        options.tokenizer, out / TOKENIZER, options.bos, lambda n_bytes: sample_texts(planned, fields, n_bytes)
    )
    return {"options": options.to_json(), "tokenizer": asdict(choice)}


@dataclass(frozen=True)
class _Work:
    """The work on all pieces, as every process does it."""

    out: Path
    options: DataOptions
    plan: Plan
    choice: TokenizerChoice

    def finish(self, job: Job, jobs: int, report: Report) -> None:
        """Encode all pieces, and join them."""
        records = Records(job.folder)
        with self._workers(min(jobs, len(set(self.plan.names) - records.finished()))):
            self.encode(lambda finished: self._report(records, finished, report))
        if not job.is_open:  # finished by another process
            return
        with suppress(FileNotFoundError), locked(job.folder / _MERGED):
            if not is_token_folder(self.out):
                self._merge(records, report)

    def encode(self, report: Callable[[AbstractSet[str]], None]) -> None:
        """Encode pieces beside other processes, until all are finished."""
        job = Job(self.out / JOB)
        parts = dict(zip(self.plan.names, self.plan.pieces, strict=True))
        encode = text_encoder(self.choice, self.out / TOKENIZER)
        fields = Fields(self.options.field, self.options.domain)

        def measure(piece: str) -> dict[str, Any]:
            with new_piece(job.folder, piece, self.choice.dtype) as writer:
                PieceEncoder(self.choice, fields, encode, writer).encode_piece(parts[piece])
            return writer.facts

        work_through(job, self.plan.names, Records(job.folder), measure, report)

    @contextmanager
    def _workers(self, jobs: int) -> Iterator[None]:
        """Further processes that encode beside this one, until the block ends."""
        if jobs < 2:
            yield
            return
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # here and in the workers: each has a CPU
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=_encode, args=(self, os.getpid()), daemon=True) for _ in range(jobs - 1)]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()

    def _report(self, records: Records, finished: AbstractSet[str], report: Report) -> None:
        finished = finished & set(self.plan.names)
        n_finished, n_pieces = len(finished), len(set(self.plan.names))
        report("tokenizing", n_finished, n_pieces)
        if n_finished and n_finished & (n_finished - 1) == 0:  # powers of two: each look reads all records
            ids = sum((records.read(piece) or {}).get("tokens", 0) for piece in finished)
            expected = ids * n_pieces / n_finished
            require_disk(self.out, (2 * expected - ids) * self.choice.dtype.itemsize)

    def _merge(self, records: Records, report: Report) -> None:
        names = self.plan.names
        facts = [records.read(piece) or {} for piece in names]
        if damaged := [name for name, record in zip(names, facts, strict=True) if not record]:
            records.remove(damaged[0])
            raise InputError(f"{records.file(damaged[0])}: damaged. Start the same command again: it is made again.")
        options = self.options
        pieces = read_labelled(records.folder, names, facts, options.held_out, options.seed)
        index = merge(pieces, self.out, self.choice, options.to_json(), lambda done, of: report("joining", done, of))
        index.save(self.out)


def _encode(work: _Work, parent: int) -> None:
    """Encode pieces as a further process; a piece that fails is tried by the first process, too, which says why."""

    def report(finished: AbstractSet[str]) -> None:
        if os.getppid() != parent:
            raise SystemExit

    with suppress(InputError, OSError, KeyboardInterrupt):
        work.encode(report)


def _finished(out: Path, options: DataOptions) -> TokenFiles:
    files = open_token_files(out)
    if other := _differing(files.index.options, options):
        raise InputError(f"{out}: holds token files of other options ({other}). Choose another --out.")
    Job(out / JOB).close()  # a process that was killed at the very end has left it
    return files


def _require_own(out: Path) -> None:
    """Raise InputError where the folder holds something that this command has not begun."""
    if out.exists() and not (out / JOB).is_dir() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and holds no token files. Choose another --out; nothing was touched.")


def _is_unused(job: Job) -> bool:
    """Whether no piece of a job is finished or in work: its options were a first try."""
    return not Records(job.folder).finished() and not job.is_in_work()


def _differing(written: dict[str, Any], options: DataOptions, of_pieces: bool = False) -> str:
    """An option in which two commands differ, as "name value, not value"; "" where they are alike.

    of_pieces: look at options alone that the work on pieces depends on.
    """
    wanted = options.to_json()
    names = [name for name in wanted if not (of_pieces and name in ("held_out", "seed"))]
    differing = (name for name in names if written.get(name) != wanted[name])
    return next((f"{name} {_short(written.get(name))}, not {_short(wanted[name])}" for name in differing), "")


def _short(value: Any) -> str:
    return json.dumps(value)[:200]
