"""`causeline evaluate`: how well incidents name the causes in labelled data."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from api.client import ApiClient
from api.commands.correlate import back_fill
from api.commands.options import out
from api.commands.replay import CONCURRENCY, send, summary
from api.errors import BadDataset, UsageError
from api.evaluation import report, tables
from api.evaluation.dataset import Dataset, TimeRange
from api.evaluation.labels import ACCEPT, read_faults
from api.evaluation.reliability import answers
from api.evaluation.reliability import summary as reliability_summary
from api.evaluation.result import Heard, Replayed, Wanted, figures
from api.evaluation.scoring import RETRIEVED, labelled_span
from api.process.subsystem import Subsystem
from api.times import format_time
from api.version import version

# As many candidates as retrieval is measured over: what is cut off changes no rank and no confidence.
_SETTINGS = {"CAUSELINE_CORRELATE__MAX_CANDIDATES": str(RETRIEVED)}
_PAGE = 200


Datasets = Annotated[
    list[Path], typer.Argument(metavar="DATASET...", help="Folders with labels.json and OTLP JSON lines.")
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", envvar="CAUSELINE_JSON_FILE", help="Also write all figures here, as JSON.")
]
ReportFile = Annotated[
    Path | None,
    typer.Option("--report", envvar="CAUSELINE_REPORT", help="Also write a page of plots here, one HTML file."),
]
Accept = Annotated[
    str,
    typer.Option("--accept", envvar="CAUSELINE_ACCEPT", help="Names that count as right: strict, service or loose."),
]
Ablate = Annotated[
    bool,
    typer.Option(
        "--ablate",
        envvar="CAUSELINE_ABLATE",
        help="Judge again without each family of evidence, without topology and without calibration.",
    ),
]
TimeToIncident = Annotated[
    bool,
    typer.Option(
        "--time-to-incident",
        envvar="CAUSELINE_TIME_TO_INCIDENT",
        help="Ask again as of earlier moments: how soon after its first symptom each fault is an incident.",
    ),
]
KeepData = Annotated[
    Path | None,
    typer.Option("--keep-data", envvar="CAUSELINE_KEEP_DATA", help="Keep each system's data directory under this one."),
]
Reuse = Annotated[
    bool,
    typer.Option(
        "--reuse", envvar="CAUSELINE_REUSE", help="Correlate and score what --keep-data kept, replay nothing."
    ),
]


def evaluate(
    datasets: Datasets,
    json_file: JsonFile = None,
    report_file: ReportFile = None,
    accept: Accept = "strict",
    ablate: Ablate = False,
    time_to_incident: TimeToIncident = False,
    keep_data: KeepData = None,
    reuse: Reuse = False,
) -> None:
    """Score the incidents of a fresh system on labelled datasets.

    For each dataset: start a system of its own on a temporary directory, replay the telemetry over OTLP, correlate
    its time range, and score what the API then says. Chance, N-sigma and BARO's scorer on the same telemetry and
    entities are printed beside it; they are told when each fault began and how long it lasted, Causeline is not.
    docs/evaluation.md says what each figure is and how a dataset looks.

    Examples:

    - `causeline evaluate recordings/outage`: the figures of one dataset
    - `causeline evaluate recordings/* --ablate --json all.json --report all.html`: several, with files and plots
    - `causeline evaluate recordings/outage --keep-data kept`, later with `--reuse`: replay once, score often
    """
    _check(accept, keep_data, reuse, [path for path in (json_file, report_file) if path is not None])
    wanted = Wanted(accept, ablate, time_to_incident, reuse)
    results = []
    for dataset in _read(datasets):
        if keep_data is not None:
            results.append(_evaluated(dataset, keep_data / dataset.name, wanted))
        else:
            with tempfile.TemporaryDirectory(prefix=f"causeline-{dataset.name}-") as folder:
                results.append(_evaluated(dataset, Path(folder), wanted))
        tables.print_dataset(out(), results[-1])
    whole = _whole(results)
    tables.print_all(out(), whole)
    if json_file is not None:
        json_file.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    if report_file is not None:
        report_file.write_text(report.page(whole), encoding="utf-8")


def _check(accept: str, keep_data: Path | None, reuse: bool, files: list[Path]) -> None:
    if accept not in ACCEPT:
        raise UsageError(f"--accept must be one of {', '.join(ACCEPT)}")
    if reuse and keep_data is None:
        raise UsageError("--reuse needs --keep-data, the directory that an earlier evaluation kept")
    for path in files:
        if not path.resolve().parent.is_dir():
            raise UsageError(f"there is no directory {path.resolve().parent} to write {path.name} to")


def _read(folders: list[Path]) -> list[Dataset]:
    """All datasets, looked at before the first is replayed: a mistake in the last must not cost an hour."""
    known = [Dataset.read(folder) for folder in folders]
    if len({dataset.name for dataset in known}) < len(known):
        raise UsageError("two of the datasets have the same name; results and kept data go by it")
    return known


def _whole(results: list[dict[str, Any]]) -> dict[str, Any]:
    found = [answer for result in results for answer in answers(result)]
    return {"causeline": version(), "datasets": results, "reliability": reliability_summary(found)}


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _evaluated(dataset: Dataset, data: Path, wanted: Wanted) -> dict[str, Any]:
    if wanted.reuse:
        sent = Replayed.kept(dataset, data)
    elif data.exists() and any(data.iterdir()):
        raise UsageError(f"{data} is not empty; score it again with --reuse, or remove it")
    with Subsystem(data, settings=_SETTINGS) as system, ApiClient(system.api_url) as client:
        if not wanted.reuse:
            sent = _replayed(dataset, system.otlp_http_url)
            sent.keep(data)
        for sentence in dataset.outside(sent.start, sent.end):
            _say(f"warning: {sentence}")
        heard = _heard(client, dataset, sent)
    return figures(dataset, data, wanted, sent, heard, _say)


def _replayed(dataset: Dataset, otlp_url: str) -> Replayed:
    covered = TimeRange()
    began = time.monotonic()
    tally = send(list(dataset.files), otlp_url, CONCURRENCY, covered.saw)
    _say(f"{dataset.name}: {summary(tally)}")
    if covered.start is None or covered.end is None or not tally.records:
        raise BadDataset(f"{dataset.name} has no telemetry with a time")
    return Replayed(dataset.sizes(), covered.start, covered.end, len(tally.failures), time.monotonic() - began)


def _heard(client: ApiClient, dataset: Dataset, sent: Replayed) -> Heard:
    began = time.monotonic()
    _say(back_fill(client, format_time(sent.start), format_time(sent.end + 10**9)))
    seconds = time.monotonic() - began
    first, last = labelled_span(read_faults(dataset.labels))
    incidents = list(client.incidents(start=f"{first:.3f}", end=f"{last:.3f}", limit=_PAGE))
    details = [client.incident(incident["id"]) for incident in incidents]
    return Heard(incidents, details, client.status()["counts"], seconds)
