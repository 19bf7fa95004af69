"""Put an evaluation's figures where they belong: the tables of docs/evaluation.md, and the confidence that is shown.

`python -m scripts.gen_evaluation RESULTS.json...` takes what `causeline evaluate --json RESULTS.json` wrote, in one run
or in several, rewrites the text between the page's markers, and writes the fitted sigmoid to
correlate/catalog/confidence.csv.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from api.evaluation.reliability import answers, summary
from api.evaluation.tables import ABLATION, HEADINGS, PLACES, changed, number

Json = dict[str, Any]
ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/evaluation.md"
CATALOGUE = ROOT / "correlate/catalog/confidence.csv"
COMMAND = "causeline evaluate {} --json results.json"


def scores(whole: Json) -> str:
    """Ranks of each dataset beside the baselines'."""
    rows = []
    for result in whole["datasets"]:
        card, others = result["score"], {other["name"]: other for other in result["baselines"]}
        rows.append(
            [
                f"`{result['dataset']}`",
                str(card["faults"]),
                *(number(card[key]) for key in PLACES),
                *(number(others[name]["ac1"]) for name in ("chance", "n-sigma", "baro")),
                number(card["retrieval15"]),
                number(card["rerank1"]),
            ]
        )
    headings = ["", "faults", *HEADINGS.values(), "chance@1", "n-sigma@1", "baro@1", "retrieval@15", "rerank@1"]
    return _command(whole) + "\n\n" + _table(headings, rows) + "\n\n" + _beside(whole)


def _beside(whole: Json) -> str:
    rows = []
    for result in whole["datasets"]:
        card, grouping = result["score"], result["grouping"]
        rows.append(
            [
                f"`{result['dataset']}`",
                number(card["detected"]),
                number(card["blast_jaccard"]),
                f"{card['decoy_first']} / {card['decoy_loud']}",
                number(grouping and grouping["f1"]),
                number(card["median_delay_s"], 1),
                number(card["onset_error_s"], 1),
                number(result["time_to_incident_s"], 0),
                number(result["false_incidents_per_hour"], 2),
                f"{result['ms_per_case']:,.0f}",
            ]
        )
    headings = ["", "detected", "Jaccard", "decoys first / loud", "B-cubed F1", "delay (s)", "onset error (s)"]
    headings.append("time to incident (s)")
    return _table([*headings, "false/h", "ms per case"], rows)


def ablations(whole: Json) -> str:
    """All datasets together, each counting as much as it has faults, then each by itself."""
    judged = [result for result in whole["datasets"] if result["ablation"]]
    parts = [_command({"datasets": judged}, " --ablate")]
    if len(judged) > 1:
        parts += ["All sets together, by faults:", _ablation(_pooled(judged))]
    for result in judged:
        parts += [f"`{result['dataset']}`, {result['score']['faults']} faults:", _ablation(result["ablation"])]
    return "\n\n".join(parts)


def _pooled(results: Sequence[Json]) -> list[Json]:
    offs = [row["off"] for row in results[0]["ablation"]]
    return [_together(off, [(r["score"]["faults"], _row(r, off)) for r in results]) for off in offs]


def _row(result: Json, off: str) -> Json:
    return next(row for row in result["ablation"] if row["off"] == off)


def _together(off: str, rows: Sequence[tuple[int, Json]]) -> Json:
    faults = sum(n for n, _ in rows)
    known = [row["blast_jaccard"] for _, row in rows if row["blast_jaccard"] is not None]
    return {
        "off": off,
        "ac1": sum(n * row["ac1"] for n, row in rows) / faults,
        "ac3": sum(n * row["ac3"] for n, row in rows) / faults,
        "blast_jaccard": mean(known) if known else None,
        "incidents": sum(row["incidents"] for _, row in rows),
    }


def _ablation(rows: Sequence[Json]) -> str:
    whole = rows[0]
    cells = [[row["off"], *(changed(row[key], whole[key]) for key in ABLATION), str(row["incidents"])] for row in rows]
    return _table(["off", *ABLATION.values(), "incidents"], cells)


def curves(whole: Json) -> str:
    """ECE and Brier of each curve, and the bins of the one that a new system would see."""
    found = [curve for curve in whole["reliability"]["curves"] if curve["answers"]]
    rows = [[c["name"], str(c["answers"]), str(c["right"]), number(c["ece"]), number(c["brier"])] for c in found]
    fit = whole["reliability"]["fit"]
    parts = [
        _command(whole),
        _table(["", "answers", "right", "ECE", "Brier"], rows),
        f"Fitted: slope {fit['slope']}, intercept {fit['intercept']}.",
    ]
    for curve in (found[1:2] + found[-1:]) if len(found) > 1 else found:
        bins = [
            [f"{b['low']:.1f} to {b['high']:.1f}", str(b["answers"]), number(b["confidence"]), number(b["frequency"])]
            for b in curve["bins"]
        ]
        parts += [f"{curve['name'].capitalize()}:", _table(["confidence", "answers", "mean", "right"], bins)]
    return "\n\n".join(parts)


def together(runs: Sequence[Json]) -> Json:
    """Several runs as one; of a dataset that is in more than one of them, the last counts."""
    results = {result["dataset"]: result for run in runs for result in run["datasets"]}
    found = [answer for result in results.values() for answer in answers(result)]
    return {"causeline": runs[-1]["causeline"], "datasets": list(results.values()), "reliability": summary(found)}


SECTIONS: dict[str, Callable[[Json], str]] = {"scores": scores, "ablation": ablations, "reliability": curves}


def filled(page: str, whole: Json) -> str:
    """The page with each section's text between its markers."""
    for name, section in SECTIONS.items():
        begin, end = f"<!-- {name}: written by scripts/gen_evaluation.py -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the page has no section {name!r}")
        page = f"{before}{begin}\n\n{section(whole)}\n\n{end}{after}"
    return page


def catalogue(whole: Json) -> str:
    """correlate/catalog/confidence.csv, with where its numbers come from."""
    fit, by_name = whole["reliability"]["fit"], {curve["name"]: curve for curve in whole["reliability"]["curves"]}
    accept = ", ".join(sorted({result["accept"] for result in whole["datasets"]}))
    brier = {name: number(by_name[name]["brier"]) for name in by_name}
    source = (
        f"# Platt's sigmoid fitted by scripts/gen_evaluation.py to {fit['answers']} first causes, {fit['right']} of "
        f"them right by {accept} names, of incidents over the labelled faults of {', '.join(fit['datasets'])}; "
        f"Causeline {whole['causeline']}. Brier score {brier['uncalibrated']} before, {brier['fitted to all']} after, "
        f"{brier.get('fitted to the other sets', '-')} with each set judged by a fit to the others."
    )
    numbers = f"{fit['slope']},{fit['intercept']},{fit['answers']},{fit['right']}"
    return f"{source}\nslope,intercept,answers,right\n{numbers}\n"


def _command(whole: Json, more: str = "") -> str:
    """What gives a table its figures; how long a fault takes to become an incident is asked for by a flag."""
    names = " ".join(f"datasets/{result['dataset']}" for result in whole["datasets"])
    timed = any(result["time_to_incident_s"] is not None for result in whole["datasets"])
    return f"`{COMMAND.format(names + more + ' --time-to-incident' * timed)}`"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> int:
    """Rewrite the page and the catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="what `causeline evaluate --json` wrote")
    files = parser.parse_args().results
    whole = together([json.loads(path.read_text(encoding="utf-8")) for path in files])
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), whole), encoding="utf-8")
    CATALOGUE.write_text(catalogue(whole), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
