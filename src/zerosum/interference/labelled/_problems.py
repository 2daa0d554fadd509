"""What a store says is wrong with its checkpoints: `problems` in its attrs, a list of {code, steps, message}."""

from collections.abc import Iterator, Sequence

from zerosum.interference.labelled._change import Store

NOT_THEMSELVES = ("identical-weights", "implausible-loss")  # codes of checkpoints that are not what their name says


def suspicious_steps(store: Store) -> dict[int, str]:
    """Step -> code, of the checkpoints whose losses are not those of their step: they belong in no summary."""
    found: dict[int, str] = {}
    for code, steps, _ in _listed(store):
        if code in NOT_THEMSELVES:
            found |= {step: code for step in steps if step not in found}
    return found


def sentences(store: Store) -> Iterator[str]:
    """Sentences of whoever measured: suspicious checkpoints, pieces that are missing."""
    if store.attrs.get("complete") is False:
        yield "not everything is measured yet: start the measurement again, and it continues"
    for _, steps, message in _listed(store):
        yield message if message.startswith("step") or not steps else f"{_named(steps)}: {message}"


def _named(steps: Sequence[int]) -> str:
    return f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"


def _listed(store: Store) -> Iterator[tuple[str, list[int], str]]:
    """Code, steps, message; what is no such entry is passed over."""
    said = store.attrs.get("problems")
    for one in said if isinstance(said, list | tuple) else ():
        if isinstance(one, dict) and isinstance(one.get("message"), str):
            steps = one.get("steps")
            known = [step for step in steps if isinstance(step, int)] if isinstance(steps, list | tuple) else []
            yield str(one.get("code", "")), known, one["message"]
