"""`causeline evaluate`: how well incidents name the causes in labelled data."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from api.baselines import baselines
from api.client import ApiClient
from api.commands.correlate import back_fill
from api.commands.options import out
from api.commands.replay import CONCURRENCY, send, summary
from api.dataset import Dataset, TimeRange
from api.errors import BadDataset, UsageError
from api.scoring import labelled_span, read_faults, score
from api.settings import Settings
from api.subsystem import Subsystem
from api.times import format_time
from store import Store, StoreSettings

_ACCEPT = {"strict": ("accept",), "service": ("accept", "accept_service"), "loose": ("accept", "accept_loose")}
_PAGE = 200


def evaluate(
    datasets: Annotated[
        list[Path], typer.Argument(metavar="DATASET...", help="Folders with labels.json and OTLP JSON lines.")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", envvar="CAUSELINE_JSON_FILE", help="Also write the results here.")
    ] = None,
    accept: Annotated[
        str,
        typer.Option(
            "--accept", envvar="CAUSELINE_ACCEPT", help="Names that count as right: strict, service or loose."
        ),
    ] = "strict",
    keep_data: Annotated[
        Path | None,
        typer.Option(
            "--keep-data", envvar="CAUSELINE_KEEP_DATA", help="Keep each system's data directory under this one."
        ),
    ] = None,
) -> None:
    """Score the incidents of a fresh system on labelled datasets.

    For each dataset: start a system of its own on a temporary directory, replay the telemetry over OTLP, correlate
    its time range, and score what the API then says. Chance and N-sigma on the same evidence are printed beside it;
    both are told when each fault began, Causeline is not.
    """
    if accept not in _ACCEPT:
        raise UsageError(f"--accept must be one of {', '.join(_ACCEPT)}")
    results = []
    for dataset in [Dataset.read(folder) for folder in datasets]:
        if keep_data is not None:
            results.append(_one(dataset, keep_data / dataset.name, accept))
        else:
            with tempfile.TemporaryDirectory(prefix=f"causeline-{dataset.name}-") as folder:
                results.append(_one(dataset, Path(folder), accept))
        _print(results[-1])
    if json_file is not None:
        json_file.write_text(json.dumps({"datasets": results}, indent=1), encoding="utf-8")


def _one(dataset: Dataset, data: Path, accept: str) -> dict[str, Any]:

    faults = read_faults(dataset.labels, _ACCEPT[accept])
    covered = TimeRange()
    seconds: dict[str, float] = {}
    with Subsystem(data) as system, ApiClient(system.api_url) as client:
        began = time.monotonic()
        tally = send(list(dataset.files), system.otlp_http_url, CONCURRENCY, covered.saw)
        seconds["replay"] = time.monotonic() - began
        typer.echo(f"{dataset.name}: {summary(tally)}", err=True)
        if covered.start is None or covered.end is None:
            raise BadDataset(f"{dataset.name} has no telemetry with a time")
        began = time.monotonic()
        typer.echo(back_fill(client, format_time(covered.start), format_time(covered.end + 10**9)), err=True)
        seconds["correlate"] = time.monotonic() - began
        first, last = labelled_span(faults)
        found = list(client.incidents(start=f"{first:.3f}", end=f"{last:.3f}", limit=_PAGE))
        counts = client.status()["counts"]
    card = score(dataset.labels, found, _ACCEPT[accept])
    store = Store.open(StoreSettings.embedded(data))
    try:
        others = baselines(store, Settings().tenant, faults)
    finally:
        store.close()
    return {
        "dataset": dataset.name,
        "accept": accept,
        "score": card.as_json(),
        "baselines": [
            {name: getattr(other, name) for name in ("name", "ac1", "ac3", "ac5", "mrr")} for other in others
        ],
        "stored": {name: counts[name] for name in ("spans", "log_records", "metric_points")},
        "failed_lines": len(tally.failures),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }


def _print(result: dict[str, Any]) -> None:
    card: dict[str, Any] = result["score"]
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"{result['dataset']}: {card['faults']} faults", title_justify="left"
    )
    for heading in ("", "AC@1", "AC@3", "AC@5", "MRR"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, row in (("causeline", card), *((other["name"], other) for other in result["baselines"])):
        table.add_row(name, *(_number(row[key]) for key in ("ac1", "ac3", "ac5", "mrr")))
    console = out()
    console.print(table)
    console.print(
        f"detected {_number(card['detected'])}  blast radius Jaccard {_number(card['blast_jaccard'])}  "
        f"median delay {_number(card['median_delay_s'])} s  "
        f"decoys first {card['decoy_first']}  decoys loud {card['decoy_loud']}  "
        f"incidents {card['incidents']}, {card['unmatched_incidents']} match no fault"
    )
    for verdict in card["verdicts"]:
        console.print(
            f"  {format_time(int(verdict['start'] * 1e3) * 10**6)}  {verdict['fault']:<26} "
            f"rank {verdict['rank'] or '-'}  {verdict['incident'] or 'not detected'}"
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
