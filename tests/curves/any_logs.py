"""Log files that hypothesis makes up: any table, any bytes, any JSON lines."""

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from read_or_refused import assert_read_or_refused
from written import put

CELLS = st.one_of(
    st.floats().map(str), st.integers().map(str), st.text(max_size=6), st.sampled_from(["", "nan", "1e999", '"', ","])
)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=3).map(",".join), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["step", "loss", "lr", "x"]), VALUES, max_size=4), max_size=6)
NAMES = st.sampled_from(["a.csv", "a.jsonl", "a.txt", "a"])


def lines(rows: list[dict[str, object]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def _cut(text: str, cut: int) -> str:
    return text[: len(text) - cut]


TABLES = st.builds(lambda rows, header: "\n".join(["step,loss"] * header + rows), ROWS, st.booleans())

# content and file name
ANY_LOG = {
    "any table": st.tuples(TABLES, st.just("run.csv")),
    "any bytes": st.tuples(st.binary(max_size=200), NAMES),
    "any objects": st.tuples(st.builds(_cut, OBJECTS.map(lines), st.integers(0, 30)), st.just("metrics.jsonl")),
}


def read_any_logs(kind: str, folder: Path, cases: int) -> None:
    """Logs of one of ANY_LOG: a curve or a one-line error for each."""

    @settings(max_examples=cases, deadline=None)
    @given(ANY_LOG[kind])
    def read(log: tuple[bytes | str, str]) -> None:
        content, name = log
        data = content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
        assert_read_or_refused(put(folder / name, data))

    read()
