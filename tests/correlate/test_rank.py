"""Terms of a candidate's score: who explains whom where both could, and who was there while symptoms went on."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from correlate.incident import assemble
from correlate.links import LINK
from correlate.rank import explained_away
from correlate.settings import CorrelateSettings
from tests.kit.causal import edge, edges, entities, nanos, signal, signals

BESIDE = (edge("service:a", "service:front", "calls"), edge("service:b", "service:front", "calls"))


def explained(own: dict[str, float], *pairs: tuple[str, str, float]) -> dict[str, str | None]:
    """Who explains whom, by candidates' own evidence and (cause, effect, weight) of links."""
    candidates = pl.DataFrame({"component": "c", "key": list(own), "own": list(own.values()), "fit": 1.0})
    rows = [
        {"cause_id": f"{cause}1", "effect_id": f"{effect}1", "cause": cause, "effect": effect, "hops": 1, "lag_s": 0.0}
        | {"weight": weight}
        for cause, effect, weight in pairs
    ]
    links = pl.DataFrame(rows, schema=LINK, orient="row").with_columns(component=pl.lit("c"))
    found = explained_away(candidates, links)
    return dict(zip(found["key"].to_list(), found["explained_by"].to_list(), strict=True))


@pytest.mark.parametrize("callee", [0.17, 0.2, 0.2065, 0.24, 0.3])
def test_of_two_that_could_explain_each_other_one_does(callee: float) -> None:
    """A callee breaks its caller, whose load may reach back: sweeps must not take turns between the two."""
    links = (("callee", "caller", 0.56), ("caller", "callee", 0.2))
    told = explained({"callee": callee, "caller": 0.2}, *links)
    assert told == {"callee": None, "caller": "callee"}


def test_load_still_explains_a_callee_that_hardly_shows() -> None:
    links = (("callee", "caller", 0.56), ("caller", "callee", 0.2))
    assert explained({"callee": 0.03, "caller": 0.3}, *links) == {"callee": "caller", "caller": None}


def causes(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    found = assemble(signals(*rows), entities(), edges(*BESIDE), nanos(7200), "default", CorrelateSettings())
    assert found.incidents.height == 1
    told: list[dict[str, Any]] = (
        pl.Series(found.incidents["root_causes"])
        .str.json_decode(
            pl.List(pl.Struct({"entity": pl.Struct({"name": pl.String}), "terms": pl.Struct({"during": pl.Float64})}))
        )[0]
        .to_list()
    )
    return told


def hit(entity: str, lasts: float, score: float, kind: str = "trace.errors", family: str = "trace") -> dict[str, Any]:
    return signal(kind, family, f"service:{entity}", 0, lasts=lasts, score=score)


def test_what_is_over_while_symptoms_go_on_is_hardly_their_cause() -> None:
    first, second, *_ = causes(hit("a", 60, 6.4), hit("b", 240, 6.1), hit("front", 240, 5.0))
    assert first["entity"]["name"] == "b"
    assert second["entity"]["name"] == "a"
    assert first["terms"]["during"] > 0.85
    assert second["terms"]["during"] == pytest.approx(0.25, abs=0.01)
    # As long as the other, the stronger is first.
    assert causes(hit("a", 240, 6.4), hit("b", 240, 6.1), hit("front", 240, 5.0))[0]["entity"]["name"] == "a"


def test_a_change_of_state_is_made_once() -> None:
    rows = (hit("a", 0, 9.0, "dependency.certificate", "log"), hit("b", 240, 6.1), hit("front", 240, 5.0))
    assert causes(*rows)[0]["entity"]["name"] == "a"
    assert causes(*rows)[0]["terms"]["during"] == 1.0


def test_symptoms_that_barely_pass_speak_for_nobody() -> None:
    """Two clear symptoms of one callee's fault, and many faint ones that only the other callee could explain."""
    topology = (*BESIDE, *(edge("service:a", f"service:quiet{n}", "calls") for n in range(8)))
    rows = [hit(f"quiet{n}", 240, 3.0) for n in range(8)]
    rows += [hit("a", 240, 3.4), hit("b", 240, 5.0), hit("front", 240, 6.0)]
    found = assemble(signals(*rows), entities(), edges(*topology), nanos(7200), "default", CorrelateSettings())
    firsts = found.incidents["root_causes"].str.json_path_match("$[0].entity.name").to_list()
    assert firsts == ["b"]
