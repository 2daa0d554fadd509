"""A small store of per-token losses whose documents, domains and tokens have hostile names."""

import numpy as np
from tiny import labels, losses

STEPS = (0, 1, 2, 4, 8)
HOSTILE_TEXT = "<script>alert(1)</script>"
WORDS = [" the", "a", '"><img src=x onerror=alert(2)>', HOSTILE_TEXT, "\n", "{{ 7*7 }}", "7", "."]


class Words:
    def decode(self, ids, skip_special_tokens=True):
        return "".join(WORDS[one] for one in ids)

    def get_vocab_size(self):
        return len(WORDS)


def hostile_store(sequences=44, positions=8, seed=0):
    """Documents of two sequences each. Token 6 rises while all others fall: it pays."""
    rng = np.random.default_rng(seed)
    token = rng.integers(0, len(WORDS), (sequences, positions)).astype(np.int32)
    slope = np.where(token == 6, 0.2, -0.4) * np.where(np.arange(sequences) < 4, -1, 1)[:, None]
    loss = 5 + slope * np.arange(len(STEPS))[:, None, None] + rng.normal(0, 0.1, (len(STEPS), sequences, positions))
    loss[:, 0, -1] = np.nan
    attrs = {
        "documents": [f"<b onclick='alert({k})'>=cmd</b>" for k in range(sequences // 2)],
        "domains": ["</style><script>alert(3)</script>", "prose"],
        "problems": [{"code": "x", "steps": [4, 8], "message": "<script>alert(4)</script> identical weights"}],
        "weight_sha256": [f"{k:064x}" for k in range(len(STEPS))],
        "model": "<i>model</i>",
    }
    return losses(loss, STEPS, attrs=attrs, **labels(token))
