"""What a policy file may say. Every field is described in docs/policy.md; unknown keys are refused."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from correlate.frames import FRAMES

Severity = Literal["critical", "high", "medium", "low", "info"]
FRAME_NAMES = ("logs", "kernel_logs", "k8s_events", "spans", "evaluations", "changes", "metrics")
"""Frames that site rules read; `metrics` is points with the columns of their series."""

_DURATION = re.compile(r"^(\d+)(s|m|h)$")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LABEL = re.compile(r"^labels\.[A-Za-z0-9_.\-/]+$")
_ABOUT = ("service", "pod", "node", "workload", "model", "gpu", "zone", "object", "namespace", "container")


def columns(frame: str) -> dict[str, pl.DataType]:
    """Columns that a site rule may name, with their types."""
    if frame != "metrics":
        return FRAMES[frame]
    return {**FRAMES["metric_series"], "time": FRAMES["metric_points"]["time"], "value": pl.Float64()}


def _seconds(text: object) -> object:
    found = _DURATION.match(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("give a duration such as 30s, 5m or 2h")
    return int(found[1]) * _SECONDS[found[2]]


def _pattern(text: str) -> str:
    try:
        pl.select(pl.lit("").str.contains(text))
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"not a regular expression that Rust's regex crate knows: {str(error)[:200]}") from error
    return text


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=1, le=86_400)]
Pattern = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]


class Strict(BaseModel):
    """No unknown keys, nothing converted in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Test(Strict):
    """A condition on one column; all that are given must hold."""

    __test__ = False

    equals: str | float | bool | None = None
    one_of: list[str] | None = Field(default=None, min_length=1)
    matches: Pattern | None = None
    contains: str | None = None
    not_: str | None = Field(default=None, alias="not")
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Test:
        if not self.model_fields_set:
            raise ValueError("give one of equals, one_of, matches, contains, not, above, below")
        return self


def _spelled_out(test: object) -> object:
    return {"equals": test} if isinstance(test, str) else test


Where = dict[str, Annotated[Test, BeforeValidator(_spelled_out)]]


class Source(Strict):
    """Which rows a rule looks at, and whose they are."""

    frame: Literal["logs", "kernel_logs", "k8s_events", "spans", "evaluations", "changes", "metrics"]
    metric: str | None = Field(default=None, min_length=1)
    where: Where = Field(default_factory=dict)
    about: str

    @model_validator(mode="after")
    def _columns_exist(self) -> Source:
        known = columns(self.frame)
        if (self.metric is None) == (self.frame == "metrics"):
            raise ValueError("`metric` names the metric of the frame `metrics`, and of no other")
        for name, test in self.where.items():
            is_label = self.frame == "metrics" and _LABEL.match(name)
            if name not in known and not is_label:
                raise ValueError(f"{self.frame} has no column {name!r}; it has {', '.join(known)}")
            number = name in known and known[name].is_numeric()
            text = name not in known or known[name] == pl.String()
            _check(name, test, number=number, text=text)
        allowed = [name for name in _ABOUT if name in known]
        if self.about not in allowed:
            raise ValueError(f"`about` names whose fact it is: one of {', '.join(allowed)}, not {self.about!r}")
        return self


def _check(name: str, test: Test, *, number: bool, text: bool) -> None:
    given = {field for field in type(test).model_fields if getattr(test, field) is not None}
    allowed = {"equals", "above", "below"} if number else {"equals", "one_of", "matches", "contains", "not_"}
    if not number and not text:
        allowed = {"equals"}
    if wrong := sorted(given - allowed):
        words = ", ".join(sorted(word.rstrip("_") for word in allowed))
        raise ValueError(f"column {name!r} takes {words}, not {', '.join(word.rstrip('_') for word in wrong)}")


class Threshold(Source):
    """A value beyond a bound for a while. `field` is the number judged, per half minute, by `statistic`."""

    field: str | None = None
    statistic: Literal["mean", "max", "min", "median", "sum"] = "mean"
    above: float | None = None
    below: float | None = None
    per_second: bool = False
    for_: Seconds = Field(default=60, alias="for")

    @model_validator(mode="after")
    def _one_bound(self) -> Threshold:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either `above` or `below`")
        known = columns(self.frame)
        numbers = [name for name, kind in known.items() if kind.is_numeric() and name != "series"]
        if self.judged not in numbers:
            raise ValueError(f"`field` names a number of {self.frame}: one of {', '.join(numbers) or '(none)'}")
        if self.per_second and self.frame != "metrics":
            raise ValueError("`per_second` turns counters of the frame `metrics` into rates")
        return self

    @property
    def judged(self) -> str:
        """The column whose values are compared."""
        return self.field or {"metrics": "value", "spans": "duration_ms", "evaluations": "score"}.get(self.frame, "")


class Match(Source):
    """Rows that look like this are facts."""


class Rate(Source):
    """More rows like this than `more_than` within `per`."""

    more_than: int = Field(ge=0)
    per: Seconds = 60


class Absence(Source):
    """Something that was there and sent nothing like this for a while."""

    for_: Seconds = Field(alias="for")


class CoOccurrence(Strict):
    """Rows of every one of these about the same thing within a time."""

    all_of: list[Source] = Field(min_length=2, max_length=8)
    within: Seconds

    @model_validator(mode="after")
    def _same_thing(self) -> CoOccurrence:
        if len({source.about for source in self.all_of}) != 1:
            raise ValueError("every part must have the same `about`")
        return self


CONDITIONS = ("threshold", "match", "rate", "absence", "co_occurrence")


class SiteRule(Strict):
    """A detector without Python: exactly one condition, and what to say when it holds."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,60}$")
    description: str = Field(min_length=10, max_length=1000)
    kind: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$")
    severity: Severity | None = None
    score: float = Field(default=5.0, ge=0, le=10)
    threshold: Threshold | None = None
    match: Match | None = None
    rate: Rate | None = None
    absence: Absence | None = None
    co_occurrence: CoOccurrence | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> SiteRule:
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(CONDITIONS)}; this has {', '.join(given) or 'none'}")
        return self

    @property
    def signal_kind(self) -> str:
        """The kind of its signals."""
        return self.kind or f"site.{self.name}"


class Override(Strict):
    """What is to be different about signals of built-in or site rules: the last override that fits has its say."""

    kind: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.*]+$")
    rule: str | None = None
    entity: Pattern | None = None
    severity: Severity | None = None
    score: float | None = Field(default=None, ge=0, le=10)
    weight: float | None = Field(default=None, ge=0, le=10)
    least_score: float | None = Field(default=None, ge=0, le=10)
    drop: bool = False
    because: str = Field(min_length=3, max_length=500)

    @model_validator(mode="after")
    def _selects_and_changes(self) -> Override:
        if self.kind is None and self.rule is None and self.entity is None:
            raise ValueError("give at least one of kind, rule, entity: an override for everything is a mistake")
        if not self.drop and all(value is None for value in (self.severity, self.score, self.weight, self.least_score)):
            raise ValueError("give at least one of severity, score, weight, least_score, drop")
        return self


class PolicyFile(Strict):
    """One policy file."""

    version: Literal[1]
    disabled: list[str] = Field(default_factory=list)
    overrides: list[Override] = Field(default_factory=list)
    rules: list[SiteRule] = Field(default_factory=list)
