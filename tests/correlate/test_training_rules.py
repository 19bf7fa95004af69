"""Training: collectives that time out, peers out of reach, steps that stop."""

from __future__ import annotations

import json
from pathlib import Path

from correlate.rules import nccl_network, nccl_watchdog, train_stall
from tests.kit.telemetry import Metrics, Row, facts, found, frames, onset_s

WATCHDOG = (
    "[rank7]:[E0302 11:18:09.66 ProcessGroupNCCL.cpp:629] [Rank 7] Watchdog caught collective operation timeout: "
    "WorkNCCL(SeqNum=796029, OpType=ALLREDUCE, NumelIn=131, NumelOut=131, Timeout(ms)=480000) "
    "ran for 480097 milliseconds before timing out."
)


def log(body: str, pod: str = "sft-worker-0-5dc8r", at: float = 600.0) -> Row:
    return {"time": at, "pod": pod, "body": body}


def test_a_timeout_began_when_the_ranks_began_to_wait() -> None:
    seen = found(nccl_watchdog.RULE, frames(logs=[log(WATCHDOG), log(WATCHDOG, at=601.0)]))
    assert facts(seen) == {("nccl.watchdog", "job", "sft")}
    assert abs(onset_s(seen, "nccl.watchdog") - 119.903) < 0.01


def test_published_watchdog_lines_parse(shared: Path) -> None:
    lines = [json.loads(text) for text in (shared / "domain" / "gpu_log_lines.jsonl").read_text().splitlines()]
    rows = [row for row in lines if row["event_class"] == "nccl_watchdog"]
    parsed = nccl_watchdog.parse(frames(logs=[log(row["line"]) for row in rows])["logs"]).collect()
    assert sorted(parsed["seq"].to_list()) == sorted(row["expect"]["nccl_seq"] for row in rows)


def test_a_rank_behind_the_others_is_the_suspect() -> None:
    done = "last enqueued work: 11, last completed work: {}"
    status = "[PG ID 0 PG GUID 0 Rank {}] failure detected by watchdog at work sequence id: 9 PG status: {}"
    rows = [
        log(status.format(0, done.format(8))),
        log(status.format(1, done.format(8))),
        log(status.format(9, done.format(7)), "sft-worker-1-xk2lm"),
    ]
    assert facts(found(nccl_watchdog.RULE, frames(logs=rows))) == {("train.bad_rank", "pod", "sft-worker-1-xk2lm")}


def test_who_cannot_be_reached_is_suspected_before_who_complains() -> None:
    data = Metrics()
    data.add("kube_pod_info", lambda _: 1.0, pod="sft-worker-1-xk2lm", labels='{"pod_ip":"10.2.0.5"}')
    warn = "node-2:57:59 [0] net_ib.cc:1296 NCCL WARN NET/IB : Got completion from peer 10.2.0.5<33092> with error 12"
    assert facts(found(nccl_network.RULE, data.frames(logs=[log(warn)]))) == {
        ("nccl.network", "pod", "sft-worker-1-xk2lm")
    }
    assert facts(found(nccl_network.RULE, frames(logs=[log(warn)]))) == {("nccl.network", "pod", "sft-worker-0-5dc8r")}
    assert found(nccl_network.RULE, frames(logs=[log("NCCL version 2.27.3+cuda12")])).is_empty()


def test_a_step_counter_that_stands_is_a_stall() -> None:
    data = Metrics()
    data.add("train/global_step", lambda t: (min(t, 200.0) + 7200) // 10, workload="sft", workload_kind="Job")
    data.add("train_global_step", lambda t: (t + 7200) // 10, pod="dpo-align-worker-0-xfsvz")
    seen = found(train_stall.RULE, data.frames())
    assert facts(seen) == {("train.stall", "job", "sft")}
    assert 180 <= onset_s(seen, "train.stall") <= 210


def test_a_rank_that_goes_on_under_a_new_name_is_no_stall() -> None:
    data = Metrics()
    for start, end, pod in ((-7200.0, 300.0, "sft-worker-0-5dc8r"), (330.0, 900.0, "sft-worker-0-qddzj")):
        data.add("train_global_step", lambda t: (t + 7200) // 10, start=start, end=end, pod=pod)
    assert found(train_stall.RULE, data.frames()).is_empty()
