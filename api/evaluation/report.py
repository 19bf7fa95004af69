"""An evaluation as one page: tables and plots, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from api.evaluation import plots
from api.evaluation.tables import ABLATION, HEADINGS, PLACES, TOLD, changed, facts, number
from api.times import format_time

Json = dict[str, Any]


def page(whole: Json) -> str:
    """The HTML page of an evaluation (what `--json` writes)."""
    template = Template(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    results = whole["datasets"]
    parts = [
        "<h1>Causeline evaluation</h1>",
        f'<p class="note">Causeline {escape(whole["causeline"])}. {escape(TOLD)}</p>',
        _summary(results),
        _reliability(whole["reliability"]),
        *(_dataset(result) for result in results),
    ]
    return template.substitute(body="\n".join(parts))


def _summary(results: Sequence[Json]) -> str:
    rows = [
        [
            result["dataset"],
            str(result["score"]["faults"]),
            *(number(result["score"][key]) for key in PLACES),
            number(result["score"]["blast_jaccard"]),
            number(result["false_incidents_per_hour"], 2),
        ]
        for result in results
    ]
    return "<h2>All datasets</h2>" + _table(["", "faults", *HEADINGS.values(), "Jaccard", "false/h"], rows)


def _reliability(found: Json) -> str:
    shown = [curve for curve in found["curves"] if curve["answers"]]
    rows = [
        [curve["name"], str(curve["answers"]), str(curve["right"]), number(curve["ece"]), number(curve["brier"])]
        for curve in found["curves"]
    ]
    return "".join(
        [
            "<h2>Confidence of first causes</h2>",
            plots.curves(shown) + plots.legend([curve["name"] for curve in shown]) if shown else "",
            _table(["", "answers", "right", "ECE", "Brier"], rows),
        ]
    )


def _dataset(result: Json) -> str:
    card = result["score"]
    methods = [("causeline", card), *((other["name"], other) for other in result["baselines"])]
    groups = [(HEADINGS[key], [(name, row[key]) for name, row in methods]) for key in PLACES]
    told = "".join(f"<dt>{escape(what)}</dt><dd>{escape(figure)}</dd>" for what, figure in facts(result))
    return "".join(
        [
            f"<h2>{escape(result['dataset'])}</h2>",
            f'<p class="note">{card["faults"]} faults, {escape(result["accept"])} names</p>',
            plots.bars(groups),
            plots.legend([name for name, _ in methods]),
            _table(["", *HEADINGS.values()], [[name, *(number(row[key]) for key in PLACES)] for name, row in methods]),
            f"<dl>{told}</dl>",
            "<h3>Faults and incidents in time</h3>",
            plots.strip(result["faults"], result["incidents"]),
            _ablation(result),
            "<h3>Each fault</h3>",
            _verdicts(card["verdicts"]),
        ]
    )


def _ablation(result: Json) -> str:
    if not result["ablation"]:
        return ""
    whole, *others = result["ablation"]
    rows = [
        [row["off"], *(changed(row[key], whole[key]) for key in ABLATION), str(row["incidents"])]
        for row in result["ablation"]
    ]
    return "".join(
        [
            "<h3>One part off at a time: change of AC@1</h3>",
            plots.differences([(row["off"], row["ac1"] - whole["ac1"]) for row in others]),
            _table(["off", *ABLATION.values(), "incidents"], rows),
        ]
    )


def _verdicts(verdicts: Iterable[Json]) -> str:
    rows = [
        [
            verdict["fault"],
            format_time(int(verdict["start"] * 1e3) * 10**6),
            str(verdict["rank"] or "-"),
            number(verdict["confidence"], 2),
            number(verdict["delay_s"], 1),
            verdict["first"] or "not detected",
        ]
        for verdict in verdicts
    ]
    return _table(["fault", "began", "rank", "confidence", "delay (s)", "first cause named"], rows)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
