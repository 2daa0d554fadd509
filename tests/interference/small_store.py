"""A small store of per-token losses in memory, and a tokenizer for it."""

import numpy as np
from tiny import losses

STEPS = (0, 1, 2, 4, 8, 16)
WORDS = [" ", "a", "b", " the", "ing", ".", "1", "\n", "\ufffd", "é", "<|end|>", " 2", "ता"]


class Words:
    """Decodes id k to word k, as tokenizers do: the last but one is special."""

    def decode(self, ids, skip_special_tokens=True):
        words = [WORDS[one] for one in ids]
        return "".join(word for word in words if not (skip_special_tokens and word == "<|end|>"))

    def get_vocab_size(self):
        return len(WORDS)


def small_store(sequences=24, positions=10, steps=STEPS, seed=0, missing=0.1):
    """Losses that fall on the whole; some positions hold no prediction at any step."""
    rng = np.random.default_rng(seed)
    loss = 5 - 0.4 * np.arange(len(steps))[:, None, None] + rng.normal(0, 0.5, (len(steps), sequences, positions))
    loss[:, rng.random((sequences, positions)) < missing] = np.nan
    shape = (sequences, positions)
    return losses(
        loss,
        steps,
        token=rng.integers(0, len(WORDS), shape).astype(np.int32),
        first_token=rng.integers(0, len(WORDS), sequences).astype(np.int32),
        document=np.sort(rng.integers(0, 30, shape), axis=None).reshape(shape).astype(np.int32),
        domain=rng.integers(0, 3, sequences).astype(np.int32),
        attrs={"documents": [f"text {k}" for k in range(30)], "domains": ["code", "prose", "code"]},
    )
