"""An evaluation's figures on a terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from api.times import format_time

Json = dict[str, Any]
PLACES = ("ac1", "ac3", "ac5", "avg5", "mrr")
HEADINGS = {"ac1": "AC@1", "ac3": "AC@3", "ac5": "AC@5", "avg5": "Avg@5", "mrr": "MRR"}
_A_LINE = 4
TOLD = "Chance, n-sigma and baro are told when each fault began and how long it lasted; causeline is not."


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash for one there is no telling."""
    return "-" if value is None else f"{value:.{digits}f}"


def facts(result: Json) -> list[tuple[str, str]]:
    """(what, figure) beside the table of ranks, in the order in which they are printed."""
    card, grouping = result["score"], result["grouping"]
    return [
        ("detected", number(card["detected"])),
        ("lift over chance at 1", number(result["lift"]["ac1"], 1)),
        ("retrieval@15", number(card["retrieval15"])),
        ("rerank@1", number(card["rerank1"])),
        ("blast radius Jaccard", number(card["blast_jaccard"])),
        ("decoys first", f"{card['decoy_first']} ({number(card['decoy_rate'])})"),
        ("decoys loud", str(card["decoy_loud"])),
        ("grouping B-cubed F1", "-" if grouping is None else f"{grouping['f1']:.3f} of {grouping['signals']} signals"),
        ("median delay", f"{number(card['median_delay_s'], 1)} s"),
        ("onset error", f"{number(card['onset_error_s'], 1)} s"),
        ("time to incident", f"{number(result['time_to_incident_s'], 0)} s"),
        ("false incidents per hour", number(result["false_incidents_per_hour"], 2)),
        ("incidents", f"{card['incidents']}, {card['unmatched_incidents']} match no fault"),
        ("per case", f"{result['ms_per_case']:.0f} ms"),
    ]


def print_dataset(console: Console, result: Json) -> None:
    """Ranks beside the baselines', then everything else, then each fault."""
    card = result["score"]
    table = _table(f"{result['dataset']}: {card['faults']} faults, {result['accept']} names", "", *HEADINGS.values())
    for name, row in (("causeline", card), *((other["name"], other) for other in result["baselines"])):
        table.add_row(name, *(number(row[key]) for key in PLACES))
    console.print(table)
    console.print(TOLD)
    told = [f"{what} {figure}" for what, figure in facts(result)]
    for start in range(0, len(told), _A_LINE):
        console.print("  " + "   ".join(told[start : start + _A_LINE]), markup=False)
    for verdict in card["verdicts"]:
        console.print(
            f"  {format_time(int(verdict['start'] * 1e3) * 10**6)}  {verdict['fault']:<26} "
            f"rank {verdict['rank'] or '-'}  {verdict['incident'] or 'not detected'}",
            markup=False,
        )
    if result["ablation"]:
        console.print(ablation_table(result))


def ablation_table(result: Json) -> Table:
    """Scores with each part off, and what that changed."""
    whole = result["ablation"][0]
    table = _table(f"{result['dataset']}: one part off at a time", "off", *ABLATION.values(), "incidents")
    for row in result["ablation"]:
        table.add_row(row["off"], *(changed(row[key], whole[key]) for key in ABLATION), str(row["incidents"]))
    return table


ABLATION = {"ac1": "AC@1", "ac3": "AC@3", "blast_jaccard": "Jaccard"}


def changed(value: float | None, before: float | None) -> str:
    """A figure with its difference, where there is one."""
    if value is None or before is None or abs(value - before) < 5e-4:
        return number(value)
    return f"{value:.3f} ({value - before:+.3f})"


def print_all(console: Console, whole: Json) -> None:
    """All datasets together: a summary where there are several, and how far confidence can be trusted."""
    results = whole["datasets"]
    if len(results) > 1:
        table = _table("all datasets", "", "faults", *HEADINGS.values(), "Jaccard", "false/h")
        for result in results:
            card = result["score"]
            shown = (number(card[key]) for key in PLACES)
            table.add_row(
                result["dataset"],
                str(card["faults"]),
                *shown,
                number(card["blast_jaccard"]),
                number(result["false_incidents_per_hour"], 2),
            )
        console.print(table)
    curves = _table("confidence of first causes", "", "answers", "right", "ECE", "Brier")
    for curve in whole["reliability"]["curves"]:
        curves.add_row(
            curve["name"], str(curve["answers"]), str(curve["right"]), number(curve["ece"]), number(curve["brier"])
        )
    console.print(curves)


def _table(title: str, *headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table
