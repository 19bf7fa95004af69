"""Direction of quality scores by evaluator name, and which metrics are quality scores or drift measures."""

from __future__ import annotations

import polars as pl

from correlate import catalog

# Gauges of evaluators: `model.quality.score`, `llm_eval_score`, `ragas_faithfulness`, ...
SCORE = (
    r"(?i)(?:quality|eval\w*|judge|ragas|deepeval)[._:](?:\w+[._:])*(?:score|value|rate)"
    r"|faithfulness|answer_relevanc|correctness|groundedness"
)
DRIFT = r"(?i)drift|(?:^|[._:])psi(?:$|[._:])|wasserstein|kl_divergence|js_divergence"


def direction(name: pl.Expr | str) -> pl.Expr:
    """1 where a higher score of this evaluator is better, -1 where a lower one is."""
    text = pl.col(name) if isinstance(name, str) else name
    table = catalog.table("evaluators")
    found = pl.lit(1)
    for pattern, way in reversed(list(zip(table["pattern"], table["direction"], strict=True))):
        found = pl.when(text.str.contains(pattern)).then(pl.lit(way)).otherwise(found) if pattern else pl.lit(way)
    return found.cast(pl.Int8)
