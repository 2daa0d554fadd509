"""Every update rule written a second time, in NumPy float64, from the papers and not from the package.

A rule gets a tensor p, its gradient g, the number t of the update (1 is the first), the rate, the weight decay of this
tensor, the settings h and a dict s for its state; it returns the new tensor.
"""

from typing import Any

import numpy as np

Array = np.ndarray


def moments(g: Array, t: int, s: dict[str, Any], b1: float, b2: float) -> tuple[Array, Array]:
    """Averages without bias, by the sums that define them."""
    s.setdefault("g", []).append(g)
    past = np.arange(t)[::-1]
    m = (1 - b1) * sum(b1**k * x for k, x in zip(past, s["g"], strict=True))
    v = (1 - b2) * sum(b2**k * x**2 for k, x in zip(past, s["g"], strict=True))
    return m / (1 - b1**t), v / (1 - b2**t)


def adam(p, g, t, lr, decay, h, s):
    m, v = moments(g + decay * p, t, s, *h["betas"])
    return p - lr * m / (np.sqrt(v) + h["eps"])


def adamw(p, g, t, lr, decay, h, s):
    m, v = moments(g, t, s, *h["betas"][:2])
    return p - lr * (m / (np.sqrt(v) + h["eps"]) + decay * p)


def sgd(p, g, t, lr, decay, h, s):
    g = g + decay * p
    s["m"] = g if t == 1 else h["momentum"] * s["m"] + g
    return p - lr * s["m"]


def cautious_adamw(p, g, t, lr, decay, h, s):
    m, v = moments(g, t, s, *h["betas"])
    agree = (m * g > 0).astype(float)
    u = m / (np.sqrt(v) + h["eps"]) * agree / max(agree.mean(), 1e-3)
    return p - lr * (u + decay * p)


def cautious_decay(p, g, t, lr, decay, h, s):
    m, v = moments(g, t, s, *h["betas"])
    u = m / (np.sqrt(v) + h["eps"])
    return p - lr * u - lr * decay * np.where(u * p > 0, p, 0.0)


def lion(p, g, t, lr, decay, h, s):
    b1, b2 = h["betas"]
    m = s.get("m", np.zeros_like(p))
    s["m"] = b2 * m + (1 - b2) * g
    return p - lr * (np.sign(b1 * m + (1 - b1) * g) + decay * p)


def ademamix(p, g, t, lr, decay, h, s):
    b1, b2, b3 = h["betas"]
    T, alpha = h["rise_steps"], h["alpha"]
    if t < T:
        half_lives = [np.log(0.5) / np.log(b + 1e-8) - 1 for b in (b1, b3)]
        b3 = 0.5 ** (1 / ((1 - t / T) * half_lives[0] + t / T * half_lives[1] + 1))
        alpha = alpha * t / T
    m, v = moments(g, t, s, b1, b2)
    s["slow"] = b3 * s.get("slow", 0.0) + (1 - b3) * g
    return p - lr * ((m + alpha * s["slow"]) / (np.sqrt(v) + h["eps"]) + decay * p)


def schedule_free(p, g, t, lr, decay, h, s):
    """p is y. x is the mean of all z by its definition, not a running one."""
    b1, b2 = h["betas"]
    _, v = moments(g, t, s, 0.0, b2)
    z = s.get("z", [p])[-1] - lr * (g / (np.sqrt(v) + h["eps"]) + decay * p)
    s.setdefault("z", []).append(z)
    s.setdefault("w", []).append(max([lr**2, *s.get("w", [])]))
    s["x"] = np.average(s["z"], axis=0, weights=s["w"])
    return b1 * s["x"] + (1 - b1) * z


def orthogonalized(u: Array) -> Array:
    """Newton-Schulz on singular values: each is mapped by the odd polynomial, five times."""
    U, S, Vt = np.linalg.svd(u, full_matrices=False)
    S = S / (np.sqrt((S**2).sum()) + 1e-7)
    for _ in range(5):
        S = 3.4445 * S - 4.7750 * S**3 + 2.0315 * S**5
    return U @ np.diag(S) @ Vt


def scaled(u: Array, scaling: str) -> Array:
    outputs, inputs = u.shape
    factor = np.sqrt(max(1, outputs / inputs)) if scaling == "spectral" else 0.2 * np.sqrt(max(outputs, inputs))
    return factor * orthogonalized(u)


def muon(p, g, t, lr, decay, h, s):
    b = h["momentum"]
    m = s["m"] = b * s.get("m", 0.0) + (1 - b) * g
    u = b * m + (1 - b) * g if h["nesterov"] else m
    if p.shape == (4, 6):  # three maps side by side, stored [inputs, outputs]
        step = np.concatenate([scaled(u[:, k : k + 2].T, h["scaling"]).T for k in (0, 2, 4)], axis=1)
    else:
        step = scaled(u, h["scaling"])
    return p - lr * (step + decay * p)


RULES = {
    rule.__name__: rule
    for rule in (adam, adamw, sgd, cautious_adamw, cautious_decay, lion, ademamix, schedule_free, muon)
}
