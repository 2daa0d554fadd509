"""Toy folders: `state.json` says the step, and `weights/` is a Hugging Face folder."""

from zerosum.checkpoints._kind import Kind, Progress
from zerosum.checkpoints.kinds import hugging_face


def matches(path):
    return (path / "state.json").is_file() and hugging_face.matches(path / "weights")


def progress(path):
    return Progress(hugging_face.read_json(path / "state.json")["step"])


KIND = Kind(
    "toy folder",
    10,
    matches,
    lambda path: hugging_face.weights(path / "weights"),
    lambda path, dtype, trust: hugging_face.load(path / "weights", dtype, trust),
    progress,
)
