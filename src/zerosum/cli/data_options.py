"""Options of the verbs that read tokens: what DATA is, and how it becomes sequences."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from zerosum.interference.labelled import TokenText
    from zerosum.tokens import TokenizerFacts, TokenSequences


class BosChoice(StrEnum):
    """Whether each document begins with the tokenizer's BOS token."""

    AUTO = "auto"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True)
class Data:
    """DATA and how it becomes sequences; see `zerosum.tokens.read_tokens`."""

    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Text, .jsonl, .parquet, .npy or .bin files, folders of them, a folder of zerosum data, or a "
            "Hugging Face dataset as NAME[:CONFIG][:SPLIT] or saved folder. May be given several times. "
            "Without it the held-out text of a run of zerosum train.",
            show_default=False,
        ),
    ] = None
    sequence_length: Annotated[
        int | None,
        typer.Option(min=1, metavar="L", help="Predicted tokens of a sequence. Without it 1,024 or the context."),
    ] = None
    pack: Annotated[
        bool | None,
        typer.Option("--pack/--no-pack", help="Join documents, as in pretraining; or one to a sequence, padded."),
    ] = None
    bos: Annotated[
        BosChoice, typer.Option(help="Begin documents with the BOS token; auto: where the tokenizer does.")
    ] = BosChoice.AUTO
    max_sequences: Annotated[int | None, typer.Option(min=1, metavar="N", help="Read no more than so many.")] = None
    tokenizer: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Tokenizer of the model, where none lies beside it.")
    ] = None
    field: Annotated[str, typer.Option(metavar="NAME", help="Field of a record with its text or token ids.")] = "text"
    domain: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Field of a record with its domain. Without it DATA, or its file."),
    ] = None

    def decoder(self, folder: Path) -> "TokenText | None":
        """What decodes the tokens of a model of this folder; None where it has no tokenizer."""
        from zerosum.errors import InputError
        from zerosum.interference.labelled import TokenText
        from zerosum.tokens import load_tokenizer

        try:
            return TokenText(load_tokenizer(self.tokenizer or folder))
        except InputError:
            return None

    def read(
        self, folder: Path, config: Any, split: "Literal['train', 'held_out']" = "held_out"
    ) -> "tuple[TokenSequences, TokenizerFacts | None]":
        """The sequences for a model of this folder and config, and what made ids of text, if anything was needed.

        split: of a folder that `zerosum data` wrote. Without DATA: held-out sequences of the run's own data.
        """
        from zerosum.errors import InputError
        from zerosum.tokens import LONGEST, TokenizerFacts, load_tokenizer, read_tokens
        from zerosum.tokens.files import is_token_folder, read_token_files

        named = self.tokenizer or folder
        try:
            tokenizer = load_tokenizer(named)
        except InputError:
            if self.tokenizer is not None:
                raise
            tokenizer = None
        context = getattr(config, "max_position_embeddings", None)
        longest = min(LONGEST, context) if isinstance(context, int) and context > 0 else LONGEST
        facts = None if tokenizer is None else TokenizerFacts.of(tokenizer, named)
        if not self.data:
            return self._held_out_of_run(folder), facts
        if len(self.data) == 1 and is_token_folder(Path(self.data[0])):
            tokens = read_token_files(
                self.data[0],
                split=split,
                length=self.sequence_length or longest,
                most=self.max_sequences,
                vocab_size=getattr(config, "vocab_size", None),
            )
            return tokens, facts
        tokens = read_tokens(
            self.data,
            tokenizer=tokenizer,
            vocab_size=getattr(config, "vocab_size", None),
            sequence_length=self.sequence_length,
            longest=longest,
            pack=self.pack,
            bos=self.bos.value,
            max_sequences=self.max_sequences,
            field=self.field,
            domain=self.domain,
        )
        return tokens, facts

    def _held_out_of_run(self, folder: Path) -> "TokenSequences":
        """Held-out sequences of the data of the run that a checkpoint lies in."""
        from zerosum.errors import InputError
        from zerosum.training import Recipe
        from zerosum.training.held_out import held_out_tokens
        from zerosum.training.run_folder import RECIPE

        recipe = next((place / RECIPE for place in folder.absolute().parents if (place / RECIPE).is_file()), None)
        if recipe is None:
            raise InputError(
                f"{folder}: not of a run of zerosum train (no {RECIPE} beside it), so its held-out text is not known. "
                "Give texts: --data DATA."
            )
        if self != Data(self.data, self.sequence_length, max_sequences=self.max_sequences):
            raise InputError(
                "--pack, --bos, --tokenizer, --field and --domain: say how --data becomes sequences. Give --data, or "
                "leave them out: the run's own held-out text is measured without it."
            )
        return held_out_tokens(Recipe.load(recipe), self.max_sequences, self.sequence_length)
