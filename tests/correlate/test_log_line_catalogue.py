"""Published lines of GPU nodes and their processes, each through the parser of its family, field by field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from correlate import nvlink5
from correlate.frames import Frames
from correlate.rules import (
    fabric_manager,
    gpu_app_errors,
    kernel_lines,
    kernel_oom,
    kernel_sxid,
    kernel_xid,
    nccl_ib,
    nccl_network,
    nccl_watchdog,
    pcie_aer,
)
from tests.kit.telemetry import Row, found, frames

Parse = Callable[[pl.LazyFrame], pl.LazyFrame]


def _xid(lines: pl.LazyFrame) -> pl.LazyFrame:
    return nvlink5.decoded(kernel_xid.parse(lines))


# Event class -> parser, and the parser's column for each field that the catalogue of lines expects.
KERNEL: dict[str, tuple[Parse, dict[str, str]]] = {
    "xid": (
        _xid,
        {
            "xid": "code",
            "pci_bdf": "bdf",
            "pid": "pid",
            "process_name": "process",
            "caused_by_xid": "caused_by",
            "gsp_timeout_s": "timeout_s",
            "recovery_to_name": "recovery",
            "nvlink_unit": "unit",
            "nvlink_link": "link",
            "intrinfo": "intrinfo",
            "error_status": "error_status",
        },
    ),
    "sxid": (kernel_sxid.parse, {"sxid": "code"}),
    "oom_kill": (
        kernel_oom.parse,
        {
            "pid": "pid",
            "process_name": "process",
            "anon_rss_kb": "rss_kb",
            "oom_constraint": "constraint",
            "pod_uid": "pod_uid",
            "container_id": "container_id",
        },
    ),
    "pcie_aer": (
        pcie_aer.parse,
        {
            "pci_bdf": "bdf",
            "offender_bdf": "offender",
            "aer_severity": "severity",
            "aer_layer": "layer",
            "aer_multiple": "multiple",
            "offender_id": "offender_id",
        },
    ),
}
LOGS: dict[str, tuple[Parse, dict[str, str]]] = {
    "nccl_watchdog": (nccl_watchdog.parse, {"rank": "rank", "nccl_seq": "seq", "nccl_op": "op", "ran_ms": "ran_ms"}),
    "nccl_warn": (
        nccl_ib.parse,
        {
            "hostname": "host",
            "pid": "pid",
            "tid": "tid",
            "cuda_device": "device",
            "nccl_file": "file",
            "peer_ip": "peer_ip",
            "peer_port": "peer_port",
            "ib_status": "status",
            "ib_device": "adapter",
            "ib_async": "event",
        },
    ),
    "cuda_oom": (gpu_app_errors.parse, {"requested_gib": "asked_gib"}),
}
# Classes whose rule must speak, in numbers that are enough for it.
SPEAKING = {
    "gpu_off_bus": (kernel_xid, "kernel_logs"),
    "gsp_rate_limit": (kernel_lines, "kernel_logs"),
    "nvlink_init": (fabric_manager, "kernel_logs"),
    "peermem": (kernel_lines, "kernel_logs"),
    "nccl_segfault": (kernel_lines, "kernel_logs"),
    "ib_power": (kernel_lines, "kernel_logs"),
    "ib_port": (kernel_lines, "kernel_logs"),
    "pcie_degraded": (kernel_lines, "kernel_logs"),
    "cper": (kernel_lines, "kernel_logs"),
    "hung_task": (kernel_lines, "kernel_logs"),
    "soft_lockup": (kernel_lines, "kernel_logs"),
    "disk": (kernel_lines, "kernel_logs"),
    "kernel_limit": (kernel_lines, "kernel_logs"),
    "nccl_error": (nccl_network, "logs"),
    "cuda_oom": (gpu_app_errors, "logs"),
    "cuda_ecc": (gpu_app_errors, "logs"),
    "cuda_error": (gpu_app_errors, "logs"),
    "serving_engine_dead": (gpu_app_errors, "logs"),
}
RULES_OF_KERNEL_LINES = (kernel_xid, kernel_sxid, kernel_lines, kernel_oom, pcie_aer, fabric_manager)


def corpus(shared: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (shared / "domain" / "gpu_log_lines.jsonl").read_text().splitlines()]


def lines_in(table: str, *rows: Row) -> Frames:
    return frames(kernel_logs=rows) if table == "kernel_logs" else frames(logs=rows)


def _mismatches(row: dict[str, Any], table: str, parse: Parse, fields: dict[str, str]) -> list[str]:
    got = parse(lines_in(table, {"time": 10.0, "node": "n1", "body": row["line"]})[table]).collect()
    if row["expect"].get("is_data_record"):
        return [] if got.is_empty() else [f"{row['id']}: a continuation became an event"]
    if got.height != 1:
        return [f"{row['id']}: {got.height} rows from {row['line']}"]
    wrong = []
    for name, column in fields.items():
        if name in row["expect"] and got[column][0] != row["expect"][name]:
            wrong.append(f"{row['id']} {name}: {got[column][0]!r}, expected {row['expect'][name]!r}")
    return wrong


def test_every_published_line_parses_as_expected(shared: Path) -> None:
    wrong: list[str] = []
    checked = 0
    for row in corpus(shared):
        for table, parsers in (("kernel_logs", KERNEL), ("logs", LOGS)):
            if row["event_class"] in parsers:
                wrong += _mismatches(row, table, *parsers[row["event_class"]])
                checked += 1
    assert not wrong, "\n".join(wrong)
    assert checked >= 55


def test_every_published_fault_is_reported(shared: Path) -> None:
    silent = []
    for row in corpus(shared):
        module, table = SPEAKING.get(row["event_class"], (None, ""))
        if module is None or (row["expect"] or {}).get("multiline_part", 1) != 1:
            continue
        many: list[Row] = [{"time": 10.0 + at, "node": "n1", "pod": "p-0", "body": row["line"]} for at in range(3)]
        if table == "kernel_logs":
            many = [{key: value for key, value in line.items() if key != "pod"} for line in many]
        if found(module.RULE, lines_in(table, *many)).is_empty():
            silent.append(f"{row['id']} {row['event_class']}: {row['line']}")
    assert not silent, "\n".join(silent)


def test_no_published_chatter_is_reported(shared: Path) -> None:
    loud = []
    for row in corpus(shared):
        recovered = (row["expect"] or {}).get("state") == "recovered"
        if row["event_class"] not in ("not_an_event", "gpu_identity") and not recovered:
            continue
        lines: list[Row] = [{"time": 10.0 + at, "node": "n1", "body": row["line"]} for at in range(3)]
        for module in RULES_OF_KERNEL_LINES:
            quiet = found(module.RULE, frames(kernel_logs=lines)).is_empty()
            loud += [] if quiet else [f"{module.RULE.name}: {row['line']}"]
    assert not loud, "\n".join(loud)
