"""What a run was trained on: its text, and the reference model of its objective."""

import json

from zerosum.bench.declaration import Declaration
from zerosum.sweep import SweptRun
from zerosum.training.changes import with_changes
from zerosum.training.run_folder import DATA

UNKNOWN = ""


def trained_on(run: SweptRun) -> str:
    """Hash of the text of a run here, and of its reference model, where it has one; "" where none is recorded."""
    try:
        facts = json.loads((run.folder / DATA).read_text(encoding="utf-8"))
        return _hash(facts)
    except (OSError, ValueError, KeyError, TypeError):
        return UNKNOWN


def texts_now(declaration: Declaration) -> frozenset[str]:
    """The same of everything that a bench would train on if it began now. Reads the text; raises InputError where that
    or a reference model is not there.
    """
    from zerosum.training.reference import reference_facts

    sizes = declaration.recipes
    arms = [with_changes(sizes[size], changes[size]) for changes in declaration.arms.values() for size in sizes]
    sources = {(recipe.data, recipe.objective.reference_model) for recipe in (*sizes.values(), *arms)}
    return frozenset(_hash(data.open().facts | reference_facts(source)) for data, source in sources)


def _hash(facts: dict[str, str]) -> str:
    return "+".join(facts[name][:16] for name in ("sha256", "reference_sha256") if name in facts)
