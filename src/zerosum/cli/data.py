"""`zerosum data`: write the token files that training reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.data_options import BosChoice
from zerosum.cli.options import Details
from zerosum.cli.sources import AsJson, print_document

if TYPE_CHECKING:
    from zerosum.tokens.files import TokenFiles

GROUP = "train"


def data(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA",
            help="Text, .jsonl, .parquet, .npy or .bin files, folders of them, quoted patterns as 'src/**/*.py', or "
            "Hugging Face datasets as NAME[:CONFIG][:SPLIT] or saved folder. Each is a domain of its own.",
            show_default=False,
        ),
    ],
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar="T",
            help="Folder or name on the hub; bytes; or train:N, byte-level BPE of N ids trained on 64 MiB of the text.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the token files.", show_default=False)],
    held_out: Annotated[
        float, typer.Option("--held-out", metavar="SHARE", help="Share of documents to hold out from training.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="Another seed holds out other documents.")] = 0,
    field: Annotated[str, typer.Option(metavar="NAME", help="Field of a record with its text or token ids.")] = "text",
    domain: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Field of a record with its domain, as meta.source; else DATA."),
    ] = None,
    bos: Annotated[
        BosChoice, typer.Option(help="Begin documents with the BOS token; auto: where the tokenizer does.")
    ] = BosChoice.AUTO,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processes. Without it, one for each CPU.")
    ] = None,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Tokenize data once, into memory-mapped files for training with a held-out split.

    A hash of its content decides whether a document is held out, and of exact copies only the first is kept. Memory
    does not grow with the data. Stopped at any moment and started again, the command continues; a finished folder is
    checked. Text files may hold many documents with <|endoftext|> between them.
    """
    from zerosum.cli.model_options import MAIN
    from zerosum.cli.progress import progress
    from zerosum.tokens.files import DataOptions, write_token_files
    from zerosum.training.run_folder import writing

    options = DataOptions(tuple(sources), tokenizer, held_out, seed, field, domain, bos.value)
    with writing(out), progress() as show:
        files = write_token_files(
            out,
            options,
            jobs=jobs or _cpus(),
            report=lambda phase, done, total: show(phase, total, done, "") if MAIN else None,
        )
    if MAIN:
        _show(files, details, as_json)


def _show(files: "TokenFiles", details: bool, as_json: bool) -> None:
    from zerosum.show.report import Report, Run
    from zerosum.show.terminal import say, show

    if as_json:
        return print_document(files.to_json() | {"errors": []})
    show(Report(str(files.folder), (Run(files.folder.resolve().name, (files.index,)),)), details)
    say(f"written: {files.folder}")
    return None


def _cpus() -> int:
    """CPUs that this process may use."""
    import os

    usable = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(usable(0)) if usable else os.cpu_count() or 1
