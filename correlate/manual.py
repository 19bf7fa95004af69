"""What people do to incidents: acknowledge, assign, comment, resolve, reopen, merge, split, judge a cause.

Each verb writes down what was decided (tables incident_decisions, incident_pins, incident_feedback), makes it true at
once, and leaves an entry in the incident's history with who did it and in which words. Passes read the decisions
(`correlate.decided`), so what was decided stays. Every verb raises NoSuchIncident or Undecidable.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from correlate.errors import NoSuchIncident, Undecidable
from correlate.journal import EVENT, Author, signed
from correlate.passes import rebuild_incidents, saving
from correlate.persist import save_events
from correlate.settings import CorrelateSettings
from correlate.signals import TIME
from store import Store, Window
from store.versions import following

_NS = 1_000_000_000
# Incidents further apart are no one fault, and every pass would have to look at all the time between.
_APART_S = 86_400


@dataclass(frozen=True, slots=True)
class Verdict:
    """What somebody says of a candidate: right or not; rank, score and terms (JSON) are what they were shown."""

    entity_type: str
    entity: str
    right: bool
    kind: str = ""
    rank: int = 0
    score: float = 0.0
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where people decide about one tenant's incidents."""

    store: Store
    tenant: str
    settings: CorrelateSettings

    def acknowledge(self, incident: str, by: Author) -> None:
        """Somebody is on it: it stays acknowledged until it ends, and is so again if it comes back."""
        with saving(self.store, self.tenant):
            row = self._row(incident)
            if row["State"][0] == "resolved":
                raise Undecidable("a resolved incident is not acknowledged; reopen it first")
            held = self._decided(incident) in ("open", "held")
            self._set_state(row, "held" if held else "acknowledged", "acknowledged", by)

    def resolve(self, incident: str, by: Author) -> None:
        """It is over: only a symptom that begins from now on and is not known yet opens it again."""
        with saving(self.store, self.tenant):
            row = self._row(incident)
            self._set_state(row, "resolved", "resolved", by)

    def reopen(self, incident: str, by: Author) -> None:
        """It is not over, whatever the symptoms say: open until it is resolved by hand."""
        with saving(self.store, self.tenant):
            row = self._row(incident)
            if row["State"][0] != "resolved":
                raise Undecidable(f"the incident is {row['State'][0]}, not resolved")
            self._set_state(row, "open", "reopened", by)

    def assign(self, incident: str, assignee: str, by: Author) -> None:
        """It is somebody's; '' is nobody's again."""
        with saving(self.store, self.tenant):
            self._row(incident)
            before = self._decision(incident)
            self._save_decision(incident, before.with_columns(assignee=pl.lit(assignee)))
            was = str(before["assignee"][0])
            self._tell(incident, "assigned", by, before=was, after=assignee)

    def comment(self, incident: str, by: Author) -> None:
        """Words in the history."""
        with saving(self.store, self.tenant):
            self._row(incident)
            self._tell(incident, "commented", by)

    def judge(self, incident: str, verdict: Verdict, by: Author) -> None:
        """A candidate, or what should have been one, is the cause or is not."""
        with saving(self.store, self.tenant):
            self._row(incident)
            said = "confirmed" if verdict.right else "rejected"
            now = time.time_ns()
            row = pl.DataFrame(
                {
                    "Tenant": [self.tenant], "IncidentId": [incident], "EntityType": [verdict.entity_type],
                    "EntityName": [verdict.entity], "Verdict": [said], "Kind": [verdict.kind],
                    "Score": [verdict.score], "Terms": [verdict.terms], "Who": [by.who], "Text": [by.text],
                }
            )  # fmt: skip
            rank, version = pl.lit(verdict.rank, pl.UInt16), pl.lit(now, pl.UInt64)
            self.store.insert_frame("incident_feedback", row.with_columns(Rank=rank, At=_milli(now), Version=version))
            self._tell(incident, f"cause_{said}", by, after=f"{verdict.entity_type} {verdict.entity}")

    def merge(self, incident: str, into: str, by: Author) -> None:
        """Both are one: what `incident` holds, and what is found to belong to it later, is part of `into`."""
        with saving(self.store, self.tenant):
            if incident == into:
                raise Undecidable("an incident is not merged into itself")
            first, second = self._row(incident), self._row(into)
            apart = max(_start(first), _start(second)) - min(_end(first), _end(second))
            if apart > _APART_S * _NS:
                raise Undecidable("incidents more than a day apart are not merged")
            held = pl.concat([self._held(incident), self._held(into)]).unique("id")
            self._pin(held.with_columns(target=pl.lit(into)))
            self._rebuild(pl.concat([first, second]), Author(by.who, by.text, (incident, into)))
            if not self._stands(into):
                raise Undecidable(f"nothing that {into} would hold can be a root cause")

    def split(self, incident: str, signals: Sequence[str], entities: Sequence[tuple[str, str]], by: Author) -> str:
        """The id of a new incident with those signals, and those of these entities (type, name), of `incident`."""
        with saving(self.store, self.tenant):
            row = self._row(incident)
            held = self._held(incident)
            wanted = held["id"].is_in(list(signals))
            for entity_type, name in entities:
                wanted |= (held["entity_type"] == entity_type) & (held["entity"] == name)
            leaving, staying = held.filter(wanted), held.filter(~wanted)
            if leaving.is_empty() or staying.is_empty():
                raise Undecidable("a split takes some of an incident's signals, and not all of them")
            ids = "\x1f".join(sorted(leaving["id"].to_list()))
            digest = hashlib.blake2b(f"{self.tenant}\x1f{incident}\x1f{ids}".encode(), digest_size=8).hexdigest()
            new = f"inc-{digest}"
            self._pin(
                pl.concat([leaving.with_columns(target=pl.lit(new)), staying.with_columns(target=pl.lit(incident))])
            )
            self._rebuild(row, Author(by.who, by.text, (new,)))
            if not (self._stands(new) and self._stands(incident)):
                self._pin(held.with_columns(target=pl.lit(incident)))
                self._rebuild(row, Author("", "", ()))
                raise Undecidable("one of the two would hold nothing that can be a root cause")
            return new

    def _row(self, incident: str) -> pl.DataFrame:
        row = self.store.frame("incident_row", {"tenant": self.tenant, "id": incident}).collect()
        if row.is_empty():
            raise NoSuchIncident(f"there is no incident {incident[:100]!r}")
        return row

    def _stands(self, incident: str) -> bool:
        return not self.store.frame("incident_row", {"tenant": self.tenant, "id": incident}).collect().is_empty()

    def _held(self, incident: str) -> pl.DataFrame:
        """Signals of the incident that are no mere context."""
        held = self.store.frame("incident_held", {"tenant": self.tenant, "ids": [incident]}).collect()
        pins = self.store.frame("pins", {"tenant": self.tenant, "start": 0, "end": 0, "id": incident}).collect()
        lost = pins.join(held, on="id", how="anti").select(
            "id",
            "onset",
            "until",
            incident_id="target",
            role=pl.lit("effect"),
            entity_type=pl.lit(""),
            entity=pl.lit(""),
        )
        columns = ["id", "role", "entity_type", "entity", "onset", "until"]
        return pl.concat([held.select(columns), lost.select(columns)]).filter(pl.col("role") != "context")

    def _decision(self, incident: str) -> pl.DataFrame:
        found = self.store.frame("decisions", {"tenant": self.tenant, "ids": [incident]}).collect()
        if found.is_empty():
            none = {"incident_id": [incident], "decided": [""], "assignee": [""]}
            return pl.DataFrame(none).with_columns(seen=pl.lit(0).cast(TIME), known=pl.lit([], pl.List(pl.String)))
        return found

    def _decided(self, incident: str) -> str:
        return str(self._decision(incident)["decided"][0])

    def _save_decision(self, incident: str, decision: pl.DataFrame) -> None:
        row = decision.select(
            Tenant=pl.lit(self.tenant), IncidentId=pl.lit(incident), State="decided", Assignee="assignee", Seen="seen",
            Known="known", Version=pl.lit(following(), pl.UInt64),
        )  # fmt: skip
        self.store.insert_frame("incident_decisions", row)

    def _set_state(self, row: pl.DataFrame, decided: str, told: str, by: Author) -> None:
        incident, before = str(row["IncidentId"][0]), str(row["State"][0])
        held = self.store.frame("incident_held", {"tenant": self.tenant, "ids": [incident]}).collect()
        seen = max(_end(row), *held["until"].dt.epoch("ns").to_list(), 0)
        known = pl.lit(held["id"].to_list(), pl.List(pl.String))
        self._save_decision(
            incident,
            self._decision(incident).with_columns(decided=pl.lit(decided), seen=pl.lit(seen).cast(TIME), known=known),
        )
        state = {"held": "acknowledged"}.get(decided, decided)
        ended = pl.coalesce("EndedAt", "UpdatedAt") if decided == "resolved" else pl.lit(None, TIME)
        version = pl.lit(following(), pl.UInt64)
        changed = row.with_columns(State=pl.lit(state), EndedAt=ended, Version=version)
        self.store.insert_frame("incidents", changed)
        self._tell(incident, told, by, before=before, after=state)

    def _pin(self, rows: pl.DataFrame) -> None:
        pins = rows.select(
            Tenant=pl.lit(self.tenant), SignalId="id", IncidentId="target", Onset="onset", Until="until",
            Version=pl.lit(following(), pl.UInt64),
        )  # fmt: skip
        self.store.insert_frame("incident_pins", pins)

    def _rebuild(self, rows: pl.DataFrame, by: Author) -> None:
        window = Window(_start(rows), _end(rows) + 1)
        rebuild_incidents(self.store, self.tenant, window, self.settings, time.time_ns(), by)

    def _tell(self, incident: str, kind: str, by: Author, *, before: str = "", after: str = "") -> None:
        event = pl.DataFrame([[incident, kind, "", before, after]], schema=list(EVENT), orient="row")
        author = Author(by.who, by.text, (incident,))
        save_events(self.store, self.tenant, signed(event, author), time.time_ns())


def _start(rows: pl.DataFrame) -> int:
    return int(min(rows["StartedAt"].dt.epoch("ns").to_list()))


def _end(rows: pl.DataFrame) -> int:
    return int(max(rows["UpdatedAt"].dt.epoch("ns").to_list()))


def _milli(now: int) -> pl.Expr:
    return pl.lit(now // 1_000_000).cast(pl.Datetime("ms", "UTC"))
