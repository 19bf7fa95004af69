"""labels.json: what really happened while a dataset was recorded.

docs/evaluation.md describes the format. Fields that are not read here are ignored, so that sets may carry their
sources and licences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from api.errors import BadDataset

ACCEPT = {"strict": ("accept",), "service": ("accept", "accept_service"), "loose": ("accept", "accept_loose")}
"""What --accept may be, and the label fields whose names then count as right."""

_DECOY_REACH_S = 600.0
_DEFAULT_WINDOW_S = 300.0


def _name(value: Any) -> str:
    """A name in lower case, written as text, as {"name": ...} or inside an {"entity": ...}."""
    found = value
    if isinstance(value, dict):
        found = value.get("name") or (value.get("entity") or {}).get("name")
    if not isinstance(found, str) or not found:
        raise ValueError('an entity is its name, {"name": ...} or {"entity": {"name": ...}}')
    return found.lower()


Name = Annotated[str, BeforeValidator(_name)]
Nanoseconds = Annotated[int, Field(ge=0)]


class _Label(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ChainLabel(_Label):
    """One step of how a fault spread: an entity, and when it was the first to show it, where that is known."""

    name: Name
    time_unix_nano: Nanoseconds | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """An entity in any of its forms; the time stands beside it."""
        time = value.get("time_unix_nano") if isinstance(value, dict) else None
        return {"name": value, "time_unix_nano": time}


class FaultLabel(_Label):
    """One fault as the file states it; times in nanoseconds since the epoch."""

    time_unix_nano: Nanoseconds
    until_unix_nano: Nanoseconds | None = None
    fault: str = ""
    archetype: str = ""
    accept: tuple[Name, ...] = ()
    accept_service: tuple[Name, ...] = ()
    accept_loose: tuple[Name, ...] = ()
    pod: str | None = None
    service: str | None = None
    decoys: tuple[Name, ...] = ()
    blast_radius: tuple[Name, ...] = ()
    chain: tuple[ChainLabel, ...] = ()


class DecoyLabel(_Label):
    """Something that happened meanwhile and caused none of the faults."""

    time_unix_nano: Nanoseconds
    until_unix_nano: Nanoseconds | None = None
    names: tuple[Name, ...] = ()
    entity: Name | None = None
    name: Name | None = None
    standalone: bool = False

    @property
    def title(self) -> str:
        """Its principal name; '' when it has none."""
        return self.name or self.entity or ""

    @property
    def own_names(self) -> frozenset[str]:
        """Every name it goes by."""
        return frozenset({*self.names, self.title} - {""})

    @property
    def end_ns(self) -> int:
        """When it was over."""
        return self.until_unix_nano or self.time_unix_nano


class Labels(_Label):
    """A labels.json. `window_seconds` is how long a fault without an end lasts."""

    faults: tuple[FaultLabel, ...] = Field(min_length=1)
    decoys: tuple[DecoyLabel, ...] = ()
    window_seconds: float = Field(default=_DEFAULT_WINDOW_S, gt=0)

    @classmethod
    def parse(cls, document: Any, where: str) -> Labels:
        """Raises BadDataset that names the first field that cannot be used, and `where` it is."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            raise BadDataset(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}{more}") from error


@dataclass(frozen=True, slots=True)
class Fault:
    """A labelled fault, ready to compare: times in unix seconds, names in lower case.

    `touched` are all names that its own symptoms may bear: right answers, blast radius and chain. `symptom` is when the
    first step of the chain that comes after the onset shows; the onset where the label knows none.
    """

    name: str
    start: float
    end: float
    accept: frozenset[str]
    decoys: frozenset[str]
    blast: frozenset[str]
    touched: frozenset[str]
    symptom: float


def read_faults(labels: Labels, accept: Sequence[str] = ("accept",)) -> list[Fault]:
    """The faults of a labels.json; `accept` names the label fields whose entities count as right."""
    return [_fault(label, labels, accept) for label in labels.faults]


def _fault(label: FaultLabel, labels: Labels, accept: Sequence[str]) -> Fault:
    start = label.time_unix_nano / 1e9
    end = label.until_unix_nano / 1e9 if label.until_unix_nano else start + labels.window_seconds
    right = {name for field in accept for name in getattr(label, field)}
    if not label.accept:
        right |= {name.lower() for name in (label.pod, label.service) if name}
    general = {decoy.title for decoy in labels.decoys if _active(decoy, start, end)}
    later = (t for step in label.chain if (t := step.time_unix_nano) is not None and t > label.time_unix_nano)
    return Fault(
        name=label.fault or label.archetype,
        start=start,
        end=end,
        accept=frozenset(right),
        decoys=frozenset({*label.decoys, *general}) - right,
        blast=frozenset(label.blast_radius),
        touched=frozenset({*right, *label.blast_radius, *(step.name for step in label.chain)}),
        symptom=min(later, default=label.time_unix_nano) / 1e9,
    )


def _active(decoy: DecoyLabel, start: float, end: float) -> bool:
    return decoy.time_unix_nano / 1e9 < end and decoy.end_ns / 1e9 > start - _DECOY_REACH_S
