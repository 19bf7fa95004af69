"""What speaks for a root cause and what against it, in sentences made from the stored terms of its score."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

# A share of the rest that a candidate explains, from which on it speaks for the candidate.
_EXPLAINS = 0.3
_TOLD = 0.005


class Argument(BaseModel):
    """One term of a score: what it is worth as a logarithm (above 0 raises it), where that is known, and in words."""

    term: str = Field(examples=["coverage"])
    weight: float | None = None
    text: str = Field(examples=["its fault would explain 83% of the rest"])


# What an Argument is made of: a page of incidents has a thousand, and they are checked once, with all of it.
Told = dict[str, Any]


def arguments(terms: Any) -> dict[str, list[Told]]:
    """Terms of a score in words, as `speaks_for` and `speaks_against`; nothing is said of what is not stored."""
    told = terms if isinstance(terms, dict) else {}
    split = told.get("sum")
    parts = split if isinstance(split, dict) else {}
    return {"speaks_for": _for(told, parts), "speaks_against": _against(told, parts)}


def _for(told: dict[str, Any], parts: dict[str, Any]) -> list[Told]:
    found = []
    if told.get("own") is not None:
        families = ", ".join(map(str, told.get("families") or ())) or "no family"
        found.append(
            _told(
                "own", parts.get("evidence"), f"evidence of its own is {told['own']:.2f} (1 is sure), from {families}"
            )
        )
    if (told.get("fit") or 1.0) > 1.0:
        found.append(_told("fit", None, f"its mechanism fits the symptoms {told['fit']:.2f}-fold"))
    if (told.get("root_prior") or 0.0) >= 1.0:
        found.append(_told("root_prior", None, "faults of this kind are usually the first of their chain"))
    coverage = told.get("coverage")
    if coverage is not None and coverage >= _EXPLAINS:
        found.append(_told("coverage", parts.get("unexplained"), f"its fault would explain {coverage:.0%} of the rest"))
    if told.get("late_s") == 0:
        found.append(_told("late_s", None, "it began before everything that it would explain"))
    return found


def _against(told: dict[str, Any], parts: dict[str, Any]) -> list[Told]:
    found = []
    own, residual, by = told.get("own"), told.get("residual"), told.get("explained_by")
    if by and own and residual is not None and own - residual > _TOLD:
        share = (own - residual) / own
        found.append(_told("explained_by", parts.get("explained"), f"{share:.0%} of its evidence is explained by {by}"))
    coverage = told.get("coverage")
    if coverage is not None and coverage < _EXPLAINS:
        found.append(
            _told("coverage", parts.get("unexplained"), f"its fault would explain only {coverage:.0%} of the rest")
        )
    if told.get("late_s"):
        late = f"it began {told['late_s']:.0f} s after something that it would explain"
        found.append(_told("late_s", parts.get("lateness"), late))
    if told.get("fit") is not None and told["fit"] < 1.0:
        found.append(_told("fit", None, f"its mechanism does not fit the symptoms ({told['fit']:.2f}-fold)"))
    prior = told.get("root_prior")
    if prior is not None and prior < _EXPLAINS:
        found.append(_told("root_prior", None, f"what was seen of it is seldom a first cause ({prior:.2f} of 1)"))
    return found


def _told(term: str, weight: Any, text: str) -> Told:
    return {"term": term, "weight": weight if isinstance(weight, int | float) else None, "text": text}
