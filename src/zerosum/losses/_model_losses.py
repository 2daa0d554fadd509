"""Per-token losses of one model, batch after batch, with notes on the model.

Letters: S sequences of L = T + 1 ids, T predicted positions, s sequences of a batch, V vocabulary,
Q numbers per token, of which the loss is the first.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64

from zerosum.errors import InputError
from zerosum.losses._head import Measure, measure_in_chunks, measure_whole, why_not_chunked
from zerosum.losses.batch_size import LOGITS, WHOLE_LOGITS, is_out_of_memory, tokens_that_fit
from zerosum.losses.forward import logits_of
from zerosum.losses.precision import full_float32
from zerosum.losses.quantities import Quantity
from zerosum.tokens import PADDING, require_vocabulary

TokensPerBatch = int | Literal["auto"]
_FIRST = 25  # ids of the first sequence, with which a model is checked


class ModelLosses:
    """Callable from ids [S, L], padded with -1 at their ends, to losses [S, T] in nats, NaN at padding.

    model: as for `token_losses`. notes: sentences on what was done in another way than usual. vocab_size: from the
    model's config, or the size of its first logits.
    """

    def __init__(self, model: Any, tokens_per_batch: TokensPerBatch = "auto"):
        self.model = model
        self.notes: list[str] = []
        config: Any = getattr(model, "config", None)
        self._config = config.get_text_config() if hasattr(config, "get_text_config") else config
        parameter = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
        self._device = torch.device("cpu") if parameter is None else parameter.device
        self._held = LOGITS.get(self._device.type, LOGITS["cpu"])
        self._tokens_per_batch = tokens_per_batch
        self.vocab_size: int | None = getattr(self._config, "vocab_size", None)
        self._chunked: bool | None = None  # not known before the first sequence
        self._most_rows: int | None = None  # that fit into memory, once they did not

    def require(self, ids: Int64[np.ndarray, "S L"]) -> None:
        """Raises InputError for ids that the model cannot take."""
        with torch.no_grad(), _evaluating(self.model):
            self._require(ids)

    def __call__(self, ids: Int64[np.ndarray, "S L"]) -> Float32[np.ndarray, "S T"]:
        """Raises InputError for ids that the model cannot take, and where one sequence is too much for the memory."""
        with torch.no_grad(), _evaluating(self.model):
            self._require(ids)
            losses: Float32[np.ndarray, "S T"] = self._numbers(ids, self._rows(ids.shape[1] - 1))[0]
        return losses

    def with_quantities(
        self, ids: Int64[np.ndarray, "S L"], quantities: Sequence[Quantity]
    ) -> dict[str, Float32[np.ndarray, "S T"]]:
        """The losses as "loss", and each quantity by its name, from the same passes through the model."""
        with torch.no_grad(), _evaluating(self.model):
            self._require(ids)
            numbers = self._numbers(ids, self._rows(ids.shape[1] - 1), [quantity.measure for quantity in quantities])
        return dict(zip(("loss", *(quantity.name for quantity in quantities)), numbers, strict=True))

    def in_other_batches(self, ids: Int64[np.ndarray, "S L"]) -> Float32[np.ndarray, "S t"]:
        """The losses of the first two thirds of each sequence from batches of other rows and of that length.

        Their difference from the usual losses is numerical noise. On many CPUs other rows alone change nothing, so the
        length is changed too.
        """
        first = ids[:, : 2 * (ids.shape[1] - 1) // 3 + 2]
        with torch.no_grad(), _evaluating(self.model):
            self._require(ids)
            if min(len(ids), self._rows(ids.shape[1] - 1)) > 1:
                losses: Float32[np.ndarray, "S t"] = self._numbers(first, 1)[0]
            else:
                losses = self._numbers(np.repeat(first, 2, axis=0), 2)[0, ::2]
        return losses

    def _require(self, ids: Int64[np.ndarray, "S L"]) -> None:
        """Refuse ids that the model cannot take; decide at the first sequence whether logits can be chunked."""
        length = ids.shape[1] - 1
        context = getattr(self._config, "max_position_embeddings", None)
        if isinstance(context, int) and 0 < context < length:
            raise InputError(
                f"sequences of {length} tokens, but the model's context is {context}. Give shorter ones: "
                f"--sequence-length {context}."
            )
        known = ids[ids != PADDING]
        require_vocabulary(known, self.vocab_size, "tokens")
        if self._chunked is not None:
            return
        first = torch.as_tensor(np.maximum(ids[:1, :_FIRST], 0), device=self._device)
        if self.vocab_size is None or self._config is not None:
            n_logits = self._first_logits(first[:, :-1]).shape[-1]
            self.vocab_size = self.vocab_size or n_logits
            require_vocabulary(known, self.vocab_size, "tokens")
        self._chunked = False
        if self._tokens(length) * self.vocab_size > self._held:
            reason = why_not_chunked(self.model, first[:, :-1], first[:, 1:])
            self._chunked = reason is None
            if reason is not None:
                self.notes.append(f"whole logits are held, because of this model {reason}")

    def _first_logits(self, ids: Int64[torch.Tensor, "1 n"]) -> Float32[torch.Tensor, "1 n V"]:
        """Logits of a few tokens. Raises InputError where a model of transformers does not run at all."""
        try:
            return logits_of(self.model, ids).float()
        except Exception as error:
            if self._config is None or is_out_of_memory(error):
                raise
            cause = next(iter(str(error).strip().splitlines()), "")[:160]
            raise InputError(
                f"model: it does not run ({type(error).__name__}: {ascii(cause)[1:-1]}). Are its settings those of its "
                "weights? Copy both again, or give another checkpoint."
            ) from error

    def _tokens(self, length: int) -> int:
        if self._tokens_per_batch != "auto":
            return self._tokens_per_batch
        return tokens_that_fit(self._config, self._device, length)

    def _rows(self, length: int) -> int:
        """Sequences of a batch; the same for every model of one shape, so that their differences carry no noise."""
        tokens = self._tokens(length)
        if self._tokens_per_batch == "auto" and not self._chunked:
            tokens = min(tokens, WHOLE_LOGITS // (self.vocab_size or 1))
        rows = max(1, tokens // length)
        return rows if self._most_rows is None else min(rows, self._most_rows)

    def _numbers(
        self, ids: Int64[np.ndarray, "S L"], rows: int, others: Sequence[Measure] = ()
    ) -> Float32[np.ndarray, "Q S T"]:
        numbers = np.empty((1 + len(others), len(ids), ids.shape[1] - 1), dtype=np.float32)
        start = 0
        while start < len(ids):
            batch = ids[start : start + rows]
            try:
                numbers[:, start : start + rows] = self._batch(batch, others)
                start += rows
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                rows = self._halved(len(batch), ids.shape[1] - 1)
        numbers[:, ids[:, 1:] == PADDING] = np.nan
        return numbers

    def _batch(self, ids: Int64[np.ndarray, "s L"], others: Sequence[Measure]) -> Float32[np.ndarray, "Q s T"]:
        # Padding stands at the end, where no causal model lets it change what is before it: no mask is needed.
        batch = torch.as_tensor(np.maximum(ids, 0), device=self._device)
        inputs, labels = batch[:, :-1], batch[:, 1:]
        positions = max(1, self._held // (self.vocab_size or 1))
        measure = measure_in_chunks if self._chunked and labels.numel() > positions else measure_whole
        numbers: Float32[np.ndarray, "Q s T"] = measure(self.model, inputs, labels, others, positions).cpu().numpy()
        return numbers

    def _halved(self, rows: int, length: int) -> int:
        if rows == 1:
            raise InputError(
                f"not enough memory for one sequence of {length} tokens. Give a shorter --sequence-length or a smaller "
                "--dtype."
            ) from None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self._most_rows = rows // 2
        self.notes.append(f"out of memory with {rows} sequences a batch, went on with {self._most_rows}")
        return self._most_rows


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Evaluation mode and products in full float32 inside the block; after it the former mode of every module."""
    modules = model.modules() if isinstance(model, torch.nn.Module) else ()
    training = [module for module in modules if module.training]
    if training:
        model.eval()
    try:
        with full_float32():
            yield
    finally:
        for module in training:
            module.training = True
