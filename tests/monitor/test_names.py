"""The names of logged values: a contract, with one table in the docs."""

from pathlib import Path

from zerosum.monitor.names import meanings


def test_the_docs_have_the_table() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "monitor.md").read_text(encoding="utf-8")
    table = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in meanings().items())
    assert f"| name | meaning |\n|---|---|\n{table}\n" in docs


def test_names_that_scripts_rely_on() -> None:
    assert {"zerosum/D_step", "zerosum/D_double", "zerosum/M_step", "zerosum/harmful_share", "zerosum/cost"} <= set(
        meanings()
    )
