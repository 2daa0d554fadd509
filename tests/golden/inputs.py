"""Small inputs of every verb, the same on every machine: loss logs, a store of losses, runs of tiny models, texts.

Only numpy, torch, transformers, `tiny` and public names of zerosum are used, so that the inputs stay what they are
while the inside of the package moves.
"""

import json
import math
import string
from pathlib import Path

import numpy as np
from tiny import TRAINED_STEPS, labels, losses, parameter_groups, tiny_model, train_and_save

STORE_STEPS = (0, 1, 2, 4, 8)
LETTERS = string.ascii_lowercase + " .\n"
VOCABULARY = len(LETTERS) + 1
END = VOCABULARY - 1
RATES = ((0.001, 1.0), (0.002, 1.4))  # learning rate, and how much slower a run is with it
WORDS = ("the", "loss", "of", "a", "token", "falls", "and", "zero", "sum", "is", "not", "flat")


def write_logs(folder: Path) -> None:
    """Loss logs: a break with a decay of the learning rate, another break, a resumed run, no break, too few rows."""
    broken, other, line = _rows(800, seed=0), _rows(1500, seed=1), _straight_rows()
    header = "step,tokens,loss,lr"
    _write(folder / "bend.csv", header, (f"{s},{1000 * s},{x!r},{_learning_rate(s)!r}" for s, x in broken))
    _write(folder / "later.csv", header, (f"{s},{2000 * s},{x!r},0.001" for s, x in other))
    _write(folder / "line.csv", "step,loss", (f"{s},{x!r}" for s, x in line))
    _write(folder / "short.csv", "step,loss", (f"{s},{x!r}" for s, x in broken[:5]))
    resumed = [*broken[:200], *_rows(800, seed=2)[150:500]]
    _write(folder / "resumed.jsonl", None, (json.dumps({"step": s, "loss": x}) for s, x in resumed))
    watched = [*({"step": s, "loss": x} for s, x in broken), *monitored_rows()]
    _write(folder / "watched.jsonl", None, map(json.dumps, watched))
    _write(folder / "text.log", None, (f"iter {s}: loss {x:.4f}, time 250.00ms, mfu 30.00%" for s, x in other))


def monitored_rows() -> list[dict[str, object]]:
    """What the live monitor logs: values of three steps, one of them without a change, and a warning."""
    values = {"D": 0.75, "D_low": 0.7, "D_high": 0.8, "M": 0.25, "delta_L": -0.0625, "null_unit": 0.9, "N": 512}
    step = {f"zerosum/{name}_step": value for name, value in values.items()}
    double = {f"zerosum/{name}_double": value for name, value in values.items()}
    shared = {"zerosum/loss": 4.5, "zerosum/cost": 0.01}
    undefined = {"zerosum/D_step": None, "zerosum/M_step": 0.0, "zerosum/reason": "no-update"}
    return [
        {"step": 1, **step, **shared},
        {"step": 2, **step, **double, **shared, "zerosum/total_steps": 6000},
        {"step": 4, **undefined, **shared},
        {"step": 4, "zerosum/warning": "unchanged", "zerosum/message": "step 4: the update changed no loss"},
    ]


def write_losses_of_sizes(folder: Path) -> None:
    """scaling.csv: 8 sizes at 3 lengths, by a known law and a small, fixed disturbance."""
    points = [(1e7 * 2**k, 1e7 * 2**k * ratio, k) for k in range(8) for ratio in (10, 30, 100)]
    rows = (
        f"r{k},{N:.0f},{D:.0f},{(1.7 + 400 / N**0.34 + 410 / D**0.28) * (1 + 0.002 * math.sin(7 * i))!r}"
        for i, (N, D, k) in enumerate(points)
    )
    _write(folder / "scaling.csv", "run,N,D,loss", rows)


def write_budgets_and_batches(folder: Path) -> None:
    """budgets.csv: 7 sizes at each of 4 budgets. batches.csv: 4 batch sizes, 2 rates each, to known steps to a loss."""
    budgets = [
        (C, 0.09 * C**0.49 * math.exp(x), x) for C in (1e18, 1e19, 1e20, 1e21) for x in np.linspace(-1, 1, 7).tolist()
    ]
    rows = (
        f"{N:.0f},{C!r},{(2 + 0.1 * x * x + C**-0.05) * (1 + 0.001 * math.sin(9 * i))!r}"
        for i, (C, N, x) in enumerate(budgets)
    )
    _write(folder / "budgets.csv", "N,C,loss", rows)
    runs = [
        (B, rate, 500 * (1 + 2000 / B) * slower * (1 + math.sin(B) / 50))
        for B in (512, 1024, 2048, 8192)
        for rate, slower in RATES
    ]
    rows = (
        f"b{B}-{rate},1e6,{B * S * at!r},{B},{S * at!r},{rate},{2.5 * at**-0.1!r}"
        for B, rate, S in runs
        for at in (0.25, 0.5, 0.9, 1.7, 3.0)
    )
    _write(folder / "batches.csv", "run,N,D,batch,step,lr,loss", rows)


def write_runs_of_sizes(folder: Path) -> None:
    """20M.csv ... 700M.csv: logs of five sizes; with size the break comes lower and the rate after it is better."""
    steps = np.unique(np.round(np.geomspace(1, 30_000, 400))).astype(int)
    for k, name in enumerate(("20M", "50M", "120M", "300M", "700M")):
        noise = np.random.default_rng(k).normal(0, 0.002, len(steps))
        away = np.log(steps / (2_500 * 0.95**k))
        log_loss = np.log(4.2) - 0.08 * k - 0.2 * away + (0.18 - 0.006 * k) * 0.3 * np.logaddexp(0, away / 0.3)
        rows = zip(steps.tolist(), np.exp(log_loss + noise).tolist(), strict=True)
        _write(folder / f"{name}.csv", "step,tokens,loss", (f"{s},{50_000 * s},{x!r}" for s, x in rows))


def _rows(bend: float, seed: int) -> list[tuple[int, float]]:
    steps = np.arange(1, 6000, 5)
    noise = np.random.default_rng(seed).normal(0, 0.005, len(steps))
    loss = 30 * steps**-0.25 * (1 + (steps / bend) ** 5) ** 0.04 * (1 + noise)
    return list(zip(steps.tolist(), loss.tolist(), strict=True))


def _straight_rows() -> list[tuple[int, float]]:
    steps = np.arange(1, 6000, 5)
    return list(zip(steps.tolist(), (10 * steps**-0.1 * (1 + 0.004 * np.sin(steps))).tolist(), strict=True))


def _learning_rate(step: int) -> float:
    return 0.001 if step < 5400 else 0.001 * (6000 - step) / 600


def _write(path: Path, header: str | None, lines) -> None:
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")


def write_store(folder: Path) -> None:
    """A store of the losses of 44 sequences in 22 documents; tokens of id 6 rise while all others fall."""
    rng = np.random.default_rng(0)
    shape = (44, 8)
    token = rng.integers(0, VOCABULARY, shape).astype(np.int32)
    slope = np.where(token == 6, 0.2, -0.4) * np.where(np.arange(44) < 4, -1, 1)[:, None]
    loss = 5 + slope * np.arange(len(STORE_STEPS))[:, None, None] + rng.normal(0, 0.2, (len(STORE_STEPS), *shape))
    loss[:, 0, -1] = np.nan
    attrs = {
        "documents": [f"=document({k})" for k in range(22)],
        "domains": ["code", "prose"],
        "noise_floor": 1e-3,
        "dtype": "float32",
        "problems": [{"code": "loss-implausible", "steps": [8], "message": "its loss is implausible"}],
        "weight_sha256": [f"{k:064x}" for k in range(len(STORE_STEPS))],
        "model": "made up",
    }
    losses(loss, STORE_STEPS, folder=folder, attrs=attrs, **labels(token))


def write_texts(folder: Path) -> None:
    """texts.jsonl: 24 documents of two domains to measure on; train.jsonl: 40 to take steps on."""
    rng = np.random.default_rng(0)
    for name, number in (("texts", 24), ("train", 40)):
        texts = [" ".join(rng.choice(WORDS, 6)) + "." for _ in range(number)]
        records = (json.dumps({"text": text, "kind": ("prose", "verse")[k % 2]}) for k, text in enumerate(texts))
        _write(folder / f"{name}.jsonl", None, records)


def write_run(folder: Path, *, tied: bool = False) -> None:
    """A run of a tiny Llama as Hugging Face's Trainer lays it out: weights, tokenizer, state of the optimizer."""
    import torch

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
    ids = {"vocab_size": VOCABULARY, "bos_token_id": None, "eos_token_id": END, "pad_token_id": None}
    model = tiny_model(**sizes, **ids, max_position_embeddings=16, tie_word_embeddings=tied)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.as_tensor(rng.normal(0, 0.3, tuple(weight.shape)))
            weight.copy_(1 + drawn if "norm" in name else drawn)
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay=(0.1, 0.0)), lr=0.02, betas=(0.9, 0.95))
    batch = torch.from_numpy(_encoded(folder.parent / "train.jsonl", 13))
    train_and_save(folder, model, optimizer, batch, TRAINED_STEPS, tokenizer=tokenizer())


def _encoded(texts: Path, length: int) -> np.ndarray:
    rows = [json.loads(line)["text"][:length] for line in texts.read_text().splitlines()]
    return np.array([[LETTERS.index(letter) for letter in row] for row in rows if len(row) == length])


def tokenizer():
    """One token for each letter, and one for the end of a document."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = Tokenizer(models.WordLevel({c: k for k, c in enumerate([*LETTERS, "<end>"])}, unk_token="<end>"))  # noqa: S106
    letters.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    letters.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=letters, eos_token="<end>")  # noqa: S106


def write_source_code(folder: Path) -> None:
    """A corpus for `zerosum demo`, in place of Python's standard library, which differs between versions of Python."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(80):
        lines = [f"{rng.choice(WORDS)} = {rng.choice(WORDS)}({rng.integers(100)})\n" for _ in range(40)]
        (folder / f"file_{number:02}.py").write_text("".join(lines))


def train_run(folder: Path) -> None:
    """A run of `zerosum train`, with states of the optimizer to branch from; call it where the folder "code" is."""
    from zerosum.training import train

    train(demo_suite("code")()[0].model_copy(update={"steps": 4, "resume_every": 2}), folder)


def train_branches(plan, branches, *_) -> None:
    """A stand-in for zerosum.sweep.local.train_here that starts no processes."""
    from zerosum.sweep.work import train_one

    assert [train_one(plan, branch) for branch in branches] == [None] * len(branches)


def demo_suite(folder: str):
    """A stand-in for zerosum.recipes.demo_suite: two models that train on the files of `folder` in seconds."""
    from zerosum.training.corpora.python import PythonSettings
    from zerosum.training.model_recipe import ModelRecipe
    from zerosum.training.recipe import BatchRecipe, Recipe

    def suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
        return [
            Recipe(
                name=f"tiny {width}",
                seed=seed,
                steps=64,
                model=ModelRecipe(
                    hidden_size=16,
                    num_hidden_layers=1,
                    num_attention_heads=1,
                    intermediate_size=width,
                    max_position_embeddings=32,
                ),
                data=PythonSettings(folder=folder, held_out_share=0.3),
                batch=BatchRecipe(sequences=8, length=32),
                resume_every=32,
            )
            for width in (16, 32)
        ]

    return suite
