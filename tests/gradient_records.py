"""Made-up measurements of per-token gradients over training: records with changes of tokens, without any model."""

from dataclasses import replace

import numpy as np

from zerosum.gradients import GradientInterference, GradientsOverTraining, ParameterSet
from zerosum.gradients.noise import NoiseScale
from zerosum.gradients.parameters import layer_of
from zerosum.interference import Interference
from zerosum.show.report import Report, Run

TYPES = (
    *(f"self_attn.{one}_proj" for one in "qkvo"),
    *("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"),
)
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
HOSTILE = "<script>alert(7)</script>"
EXACT = "exact for these N tokens; another draw of texts would differ"
NO_UPDATE = "no update was given"
NUMBERS = ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order", "M_first_order", "D_loss", "M_loss")


def records(steps=STEPS, **more):
    return [record(step, **more) for step in steps]


def over(given, name="run"):
    return GradientsOverTraining(name, tuple(given))


def report(given, name="run"):
    """The report on checkpoints, or on a measurement of several."""
    whole = given if isinstance(given, GradientsOverTraining) else over(given, name)
    return Report(name, (Run(name, (whole,)),))


def record(step, layers=6, types=TYPES, N=20_000, update=True, prefix="model.layers", pair=None, **more):
    """One checkpoint: agreement falls with the step, in later layers earlier. pair: changes of its tokens."""
    parameters = _parameters(step, layers, types, update, prefix)
    inside = [one for one in parameters if one.kind in ("matrix", "norm")]
    C_g, C_ug = 0.5 * (1 + step / 3) ** -0.35, 0.1
    C_uG = C_ug * 0.9 * (1 + step / 100) ** -0.1
    left = C_g * C_uG / C_ug
    nan = float("nan")
    why = {} if update else dict.fromkeys((*NUMBERS[2:], "null", "null_unit", "excess"), NO_UPDATE)
    first_order, loss_change = (interference(1 - left, 0.01, N), interference(1 - 0.8 * left, 0.012, N))
    intervals = {}
    if update:
        intervals = {f"D_{name}": one.interval.D for name, one in (("first_order", first_order), ("loss", loss_change))}
    made = GradientInterference(
        **{"N": N, "n_sequences": 100, "n_positions": N // 100, "method": "exact", "n_sampled": N, "seed": 0},
        **{"dtype": "float32", "loss": 5.5 * (1 + step) ** -0.1, "D_grad": _mean(inside)},
        D_grad_matrices=_mean([one for one in inside if one.kind == "matrix"]),
        **({"C_g": C_g, "C_ug": C_ug, "C_uG": C_uG} if update else {"C_g": nan, "C_ug": nan, "C_uG": nan}),
        **(
            {"first_order": first_order, "loss_change": loss_change}
            if update
            else {"first_order": None, "loss_change": None}
        ),
        intervals=intervals,
        reasons=why,
        interval_reasons={name: EXACT for name in NUMBERS if name not in intervals},
        parameters=tuple(parameters),
        layers=tuple(_layers(parameters)),
        notes=("exact: 12 s",),
        **{"source": f"checkpoint-{step}", "step": step, "tokens_seen": 1000 * step},
        noise=noise(step, N),
        per_token=dict(zip(("first_order", "loss_change"), pair, strict=True)) if pair else {},
        unit=None if pair is None else np.broadcast_to(np.arange(len(pair[0]))[:, None], pair[0].shape),
    )
    return replace(made, **more)


def noise(step, N, at_least=None):
    """A noise scale that grows with the step. at_least: its lower end, where noise hides the gradient."""
    B = float("nan") if at_least else 50.0 * (1 + step)
    ends = {} if at_least else {"noise_scale": (0.7 * B, 1.5 * B), "D_grad_noise": (0.6, 0.8)}
    hidden = {"noise_scale": f"noise hides the gradient on these 100 sequences: at least {at_least or 0:.0f} tokens"}
    return NoiseScale(
        **{"N": N, "noise_scale": B, "at_least": at_least or 0.7 * B, "gradient_squared": 0.01, "trace": 0.01 * B},
        **{"tokens_per_sequence": N / 100, "D_grad_null_unit": 0.95, "D_grad_noise": 0.7, "mean_cosine": 0.1},
        **{"conflict_rate": 0.3, "n_units": 100, "units": "sequence", "tokens_per_unit": N / 100},
        intervals=ends,
        reasons=({"D_grad_null_unit": "Gaussian form"} | (hidden if at_least else {})),
    )


def interference(D, M, N, n_units=100):
    """Of changes that cancel as much as D says. Its interval: a little to both sides."""
    ends = (max(0.0, D - 0.03), min(1.0, D + 0.02))
    low, high = 1 - ends[1], 1 - ends[0]
    interval = _interval(R=(-high, -low), D=ends, M=(0.9 * M, 1.1 * M), n_units=n_units)
    return Interference(
        **{"R": D - 1, "D": D, "M": M, "delta_L": M * (D - 1), "harmful_share": D / 2, "N": N},
        **{"null": 0.99, "null_method": "gaussian", "null_unit": 0.95, "null_unit_method": "gaussian"},
        **{"excess": -0.1, "interval": interval, "interval_reason": None, "reasons": {}},
    )


def _interval(R, D, M, n_units):
    from zerosum.interference import Interval

    more = {"delta_L": (M[1] * R[0], M[0] * R[1]), "harmful_share": ((1 + R[0]) / 2, (1 + R[1]) / 2)}
    return Interval(R=R, D=D, M=M, level=0.95, n_units=n_units, method="bootstrap", **more)


def with_parameters(given, parameters):
    """The same checkpoint with other parameters, and the layers that they make."""
    return replace(given, parameters=tuple(parameters), layers=tuple(_layers(parameters)))


def unknown(given, *names, why="nothing is touched"):
    """The same checkpoint without some of its numbers."""
    nothing = dict.fromkeys(names, float("nan"))
    return replace(given, **nothing, reasons=given.reasons | dict.fromkeys(names, why))


def as_proxy(given):
    """The same numbers as if the positionwise method had given them."""
    nan = float("nan")
    parts = {name: tuple(replace(one, C_ug=nan) for one in getattr(given, name)) for name in ("parameters", "layers")}
    why = given.reasons | {"C_ug": "the proxy has none"}
    return replace(given, method="positionwise", n_sampled=0, C_ug=nan, reasons=why, **parts)


def opposition(step, layer, layers):
    """D of a layer: from 0.4 towards 0.95, sooner the deeper it lies."""
    middle = 300 / (1 + 4 * layer / layers)
    return 0.4 + 0.55 * step / (step + middle)


def _parameters(step, layers, types, update, prefix):
    rng = np.random.default_rng(step)
    found = [part("model.embed_tokens.weight", "embedding", 4096, 0.2, update)]
    for layer in range(layers):
        for at, one in enumerate(types):
            D = opposition(step, layer, layers) + 0.015 * np.sin(3 * at) + rng.normal(0, 0.003)
            found.append(part(f"{prefix}.{layer}.{one}.weight", "matrix", 4096, float(np.clip(D, 0, 1)), update))
        D = 0.8 * opposition(step, layer, layers)
        found.append(part(f"{prefix}.{layer}.input_layernorm.weight", "norm", 64, D, update))
    found.append(part("model.norm.weight", "norm", 64, 0.7 * opposition(step, 0, 1), update))
    found.append(part("lm_head.weight", "head", 4096, 0.3, update))
    return found


def part(name, kind, numel, D, update=True, touched=None, **more):
    """A parameter or a layer."""
    from zerosum.gradients._numbers import CoordinateSums

    touched = numel - 3 if touched is None else touched
    mass, net = (2.0, 2.0 * (1 - D)) if update else (0.0, 0.0)
    sums = CoordinateSums(touched * D, touched, numel, 0, net, mass, -0.9 * net)
    return replace(ParameterSet(name, kind, sums, D, 0.1 if update else float("nan")), **more)


def _mean(parts):
    return sum(one.touched * one.D_grad for one in parts) / sum(one.touched for one in parts)


def _layers(parameters):
    groups = {}
    for one in parameters:
        groups.setdefault(layer_of(one.name), []).append(one)
    for name, several in groups.items():
        known = [one for one in several if one.touched and np.isfinite(one.D_grad)]
        sums = sum((one.sums for one in several[1:]), several[0].sums)
        D = _mean(known) if known else float("nan")
        yield ParameterSet(name, "layer", sums, D, several[0].C_ug)


def changes(sequences=100, positions=200, slope=0.8, noise=0.5, seed=0):
    """First-order and real changes of tokens with heavy tails, [S, T] nats; one token is padding."""
    rng = np.random.default_rng(seed)
    x = 0.01 * rng.standard_t(2, (sequences, positions)) - 0.004
    y = slope * x + noise * 0.01 * rng.standard_t(3, x.shape)
    x[0, -1] = y[0, -1] = np.nan
    return x, y
