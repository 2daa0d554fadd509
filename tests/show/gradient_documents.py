"""Made-up measurements of per-token gradients over training: documents and changes, without any model."""

import numpy as np

TYPES = (
    *(f"self_attn.{one}_proj" for one in "qkvo"),
    *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
)
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
PARTS = ("parameters", "layers")
HOSTILE = "<script>alert(7)</script>"
EXACT = "exact for these N tokens; another draw of texts would differ"


def documents(steps=STEPS, layers=6, types=TYPES, N=20_000, update=True, prefix="model.layers", **more):
    return [document(step, layers, types, N, update, prefix, k=k, **more) for k, step in enumerate(steps)]


def document(step, layers=6, types=TYPES, N=20_000, update=True, prefix="model.layers", k=0, **more):
    """One checkpoint: agreement falls with the step, in later layers earlier."""
    rng = np.random.default_rng(step)
    parameters = [_part("model.embed_tokens.weight", "embedding", 4096, 0.2, update)]
    for layer in range(layers):
        for at, one in enumerate(types):
            D = opposition(step, layer, layers) + 0.015 * np.sin(3 * at) + rng.normal(0, 0.003)
            parameters.append(_part(f"{prefix}.{layer}.{one}.weight", "matrix", 4096, float(np.clip(D, 0, 1)), update))
        D = 0.8 * opposition(step, layer, layers)
        parameters.append(_part(f"{prefix}.{layer}.input_layernorm.weight", "norm", 64, D, update))
    parameters.append(_part("model.norm.weight", "norm", 64, 0.7 * opposition(step, 0, 1), update))
    parameters.append(_part("lm_head.weight", "head", 4096, 0.3, update))
    inside = [one for one in parameters if one["kind"] in ("matrix", "norm")]
    C_g, C_ug = 0.5 * (1 + step / 3) ** -0.35, 0.1
    C_uG = C_ug * 0.9 * (1 + step / 100) ** -0.1
    values = {
        "loss": 5.5 * (1 + step) ** -0.1,
        "D_grad": _mean(inside),
        "D_grad_matrices": _mean([one for one in inside if one["kind"] == "matrix"]),
        "D_first_order": 1 - C_g * C_uG / C_ug,
        "M_first_order": 0.01,
        "D_loss": 1 - 0.8 * C_g * C_uG / C_ug,
        "M_loss": 0.012,
        **{"C_g": C_g, "C_ug": C_ug, "C_uG": C_uG, "null": 0.99, "null_unit": 0.95, "excess": -0.1},
    }
    ends = {
        name: [max(0.0, values[name] - 0.03), min(1.0, values[name] + 0.02)] for name in ("D_first_order", "D_loss")
    }
    if not update:
        absent = [name for name in values if name not in ("loss", "D_grad", "D_grad_matrices")]
        values |= dict.fromkeys(absent) | {f"{name}_reason": "no update was given" for name in absent}
        ends = {}
    names = ("D_grad", "D_grad_matrices", "D_loss", "M_loss", "D_first_order", "M_first_order", "C_g", "C_ug", "C_uG")
    intervals = {name: ends.get(name) for name in names}
    intervals |= {f"{name}_reason": EXACT for name in names if not ends.get(name)} | {"level": 0.95}
    return {
        **{"source": f"checkpoint-{step}", "step": step, "tokens_seen": 1000 * step},
        **{"N": N, "n_sequences": 100, "n_positions": N // 100, "method": "exact", "n_sampled": N, "seed": 0},
        **values,
        "intervals": intervals,
        "parameters": parameters,
        "layers": _layers(parameters, update),
        "notes": ["exact: 12 s"],
        **more,
    }


def as_proxy(given):
    """The same numbers as if the positionwise method had given them."""
    why = "method positionwise forms no token gradient; what it gives is in positionwise"
    names = ("D_grad", "D_grad_matrices", "C_g")
    parts = {name: [one | {"C_ug": None, "C_ug_reason": "the proxy has none"} for one in given[name]] for name in PARTS}
    proxy = {name: given[name] for name in names} | parts
    absent = {name: None for name in (*names, "C_ug")} | {f"{name}_reason": why for name in (*names, "C_ug")}
    bare = {name: [] for name in PARTS} | {"method": "positionwise", "n_sampled": 0, "positionwise": proxy}
    return given | absent | bare


def opposition(step, layer, layers):
    """D of a layer: from 0.4 towards 0.95, sooner the deeper it lies."""
    middle = 300 / (1 + 4 * layer / layers)
    return 0.4 + 0.55 * step / (step + middle)


def _part(name, kind, numel, D, update):
    C, why = (1 - D, None) if update else (None, "no update was given")
    return {
        **{"name": name, "kind": kind, "numel": numel, "touched": numel - 3, "D_grad": D, "D_grad_interval": None},
        **{"C_g": C, "C_ug": 0.1 if update else None, "C_uG": 0.09 if update else None},
        **({} if update else {"C_g_reason": why, "C_ug_reason": why, "C_uG_reason": why}),
        **{"sum_ij_abs_p": 2.0, "sum_j_abs_sum_i_p": 2.0 * (C or 0), "sum_ij_p": -0.5},
    }


def _mean(parts):
    return sum(one["touched"] * one["D_grad"] for one in parts) / sum(one["touched"] for one in parts)


def _layers(parameters, update):
    found = {}
    for one in parameters:
        parts = one["name"].split(".")
        at = next((k for k, part in enumerate(parts) if part.isdecimal()), len(parts) - 2)
        found.setdefault(".".join(parts[: at + 1]), []).append(one)
    rows = []
    for name, several in found.items():
        row = _part(name, "layer", sum(one["numel"] for one in several), _mean(several), update)
        rows.append(row | {"touched": sum(one["touched"] for one in several)})
    return rows


def changes(sequences=100, positions=200, slope=0.8, noise=0.5, seed=0):
    """First-order and real changes of tokens with heavy tails, [S, T] nats; one token is padding."""
    rng = np.random.default_rng(seed)
    x = 0.01 * rng.standard_t(2, (sequences, positions)) - 0.004
    y = slope * x + noise * 0.01 * rng.standard_t(3, x.shape)
    x[0, -1] = y[0, -1] = np.nan
    return x, y
