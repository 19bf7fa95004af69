"""Kernel lines: Xid, SXid and plain kernel faults, against published lines and their look-alikes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from correlate import catalog, names
from correlate.rules import fabric_manager, kernel_lines, kernel_oom, kernel_sxid, kernel_xid, pcie_aer
from tests.kit.telemetry import Metrics, Row, facts, found, frames, onset_s

GPU = ("gpu", "n1/0000:9b:00")


def line(body: str, at: float = 10.0, node: str = "n1") -> Row:
    return {"time": at, "node": node, "body": body}


def xids(*rows: Row) -> pl.DataFrame:
    return found(kernel_xid.RULE, frames(kernel_logs=rows))


def corpus(shared: Path, *classes: str) -> list[dict[str, Any]]:
    rows = [json.loads(text) for text in (shared / "domain" / "gpu_log_lines.jsonl").read_text().splitlines()]
    return [row for row in rows if row["event_class"] in classes]


def test_published_xid_lines_parse_as_expected(shared: Path) -> None:
    rows = corpus(shared, "xid", "gpu_off_bus", "not_an_event")
    parsed = kernel_xid.parse(
        frames(kernel_logs=[line(r["line"], at) for at, r in enumerate(rows)])["kernel_logs"]
    ).collect()
    got = {
        round(t.timestamp()) - 1_700_000_000: (code, bdf)
        for t, code, bdf in parsed.select("time", "code", "bdf").rows()
    }
    for at, row in enumerate(rows):
        expected = row["expect"] or {}
        if "xid" in expected:
            assert got.get(at) == (expected["xid"], expected["pci_bdf"]), row["line"]
        elif row["event_class"] == "not_an_event":
            assert at not in got, row["line"]


def test_published_sxid_lines_parse_as_expected(shared: Path) -> None:
    rows = corpus(shared, "sxid", "fabric_manager")
    parsed = kernel_sxid.parse(
        frames(kernel_logs=[line(r["line"], at) for at, r in enumerate(rows)])["kernel_logs"]
    ).collect()
    got = {round(t.timestamp()) - 1_700_000_000: code for t, code in parsed.select("time", "code").rows()}
    for at, row in enumerate(rows):
        expected = row["expect"] or {}
        if expected.get("is_data_record"):
            assert at not in got, row["line"]
        elif "sxid" in expected:
            assert got.get(at) == expected["sxid"], row["line"]


def test_an_xid_names_its_gpu_once_however_often_it_repeats() -> None:
    body = "NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus."
    seen = xids(line(body, 10), line("NVRM: GPU 0000:9b:00.0: GPU has fallen off the bus.", 10.2), line(body, 40))
    assert facts(seen) == {("xid.79", *GPU)}
    assert seen["score"][0] >= 9
    assert onset_s(seen, "xid.79") == 10.0


def test_a_mig_instance_is_its_gpu() -> None:
    assert facts(xids(line("NVRM: Xid (PCI:0000:9b:00 GPU-I:05): 94, pid=1, name=p, Contained: SM"))) == {
        ("xid.94", *GPU)
    }


def test_a_switch_error_is_no_gpu_error() -> None:
    assert xids(line("nvidia-nvswitch1: SXid (PCI:0000:0a:00.0): 22013, Non-fatal, Link 57 Minion")).is_empty()


@pytest.mark.parametrize(
    "follower", ["45, pid=1, name=p, Ch 00000008", "45, pid=1, name=p, Ch 00000008 caused by previous Xid 62"]
)
def test_channel_teardown_is_folded_into_what_came_before(follower: str) -> None:
    cause = line("NVRM: Xid (PCI:0000:9b:00): 62, pid=1, name=p, 32259(2548) 00000000", 10)
    seen = xids(cause, line(f"NVRM: Xid (PCI:0000:9b:00): {follower}", 10.1))
    assert {kind for kind, *_ in facts(seen)} == {"xid.62"}


def test_channel_teardown_alone_is_weak() -> None:
    seen = xids(line("NVRM: Xid (PCI:0000:9b:00): 45, pid=1, name=p, Ch 00000008"))
    assert seen["score"].to_list() == [3.0]


def test_an_application_error_is_quiet() -> None:
    seen = xids(line("NVRM: Xid (PCI:0000:9b:00): 31, pid=7, name=python, Ch 00000013, MMU Fault"))
    assert seen["score"].to_list() == [4.0]


def test_firmware_timeouts_began_when_the_wait_began() -> None:
    body = "NVRM: Xid (PCI:0000:9b:00): 119, pid=1, name=smi, Timeout after 45s of waiting for RPC response"
    assert onset_s(xids(line(body, 100)), "xid.119") == 55.0


def test_how_bad_a_link_event_is_stands_in_its_text() -> None:
    fatal = "NVRM: Xid (PCI:0018:01:00): 149, NETIR_LINK_EVT  Fatal   XC0 i0 Link 08 (0x004505c6 0x00000000)"
    benign = "NVRM: Xid (PCI:0018:02:00): 149, NETIR_BER_EVENT Nonfatal XC0 i0 Link 03 (0x00086226 0x00000001)"
    scores = dict(xids(line(fatal), line(benign)).select("entity", "score").rows())
    assert scores["n1/0018:01:00"] > 9
    assert "n1/0018:02:00" not in scores


def test_a_fatal_switch_error_is_loud_and_a_benign_one_silent() -> None:
    fatal = line("[131453.740743] nvidia-nvswitch0: SXid (PCI:0000:00:00.0): 20034, Fatal, Link 30 LTSSM Fault Up")
    data = line("nvidia-nvswitch0: SXid (PCI:0000:00:00.0): 20034, Data {0x50610002, 0x10100030}")
    benign = line("nvidia-nvswitch1: SXid (PCI:0000:0a:00.0): 22013, Non-fatal, Link 57 Minion Link DLREQ interrupt")
    seen = found(kernel_sxid.RULE, frames(kernel_logs=[fatal, data, benign]))
    assert facts(seen) == {("sxid.20034", "node", "n1")}
    assert seen["score"][0] >= 9
    assert "times" not in seen["explanation"][0]


@pytest.mark.parametrize(
    "text",
    [
        "LustreError: 11-0: scratch-MDT0000-mdc: operation ldlm_enqueue to node 10.20.0.5@o2ib failed: rc = -107",
        "LustreError: 11-0: scratch-OST0003-osc: operation ost_write failed with -110. rc = -110",
        "Lustre: scratch-MDT0000-mdc: Connection to scratch-MDT0000 (at 10.20.0.5@o2ib) was lost; in progress",
    ],
)
def test_a_lustre_server_that_does_not_answer_is_storage(text: str) -> None:
    assert facts(found(kernel_lines.RULE, frames(kernel_logs=[line(text)]))) == {("node.storage", "node", "n1")}


@pytest.mark.parametrize(
    "text",
    [
        "systemd[1]: nvidia-fabricmanager.service: Main process exited, code=exited, status=1/FAILURE",
        "systemd[1]: nvidia-fabricmanager.service: Failed with result 'exit-code'.",
        "systemd[1]: Failed to start nvidia-fabricmanager.service - NVIDIA fabric manager service.",
    ],
)
def test_a_fabric_manager_that_failed_is_the_nodes_fault(text: str) -> None:
    assert facts(found(fabric_manager.RULE, frames(kernel_logs=[line(text)]))) == {
        ("node.fabric_manager", "node", "n1")
    }


def test_a_fabric_manager_that_was_stopped_or_started_is_no_fault() -> None:
    rows = [
        line("systemd[1]: Stopped nvidia-fabricmanager.service - NVIDIA fabric manager service."),
        line("systemd[1]: Started nvidia-fabricmanager.service - NVIDIA fabric manager service."),
        line("systemd[1]: nvidia-fabricmanager.service: Main process exited, code=exited, status=0/SUCCESS"),
    ]
    assert found(fabric_manager.RULE, frames(kernel_logs=rows)).is_empty()


def test_lustre_lines_of_recovery_and_of_absent_files_say_nothing() -> None:
    rows = [
        line("Lustre: scratch-MDT0000-mdc: Connection restored to 10.20.0.5@o2ib (at 10.20.0.5@o2ib)"),
        line("LustreError: 4242:0:(file.c:4321:ll_inode_revalidate_fini()) scratch: revalidate FID error: rc = -2"),
    ]
    assert found(kernel_lines.RULE, frames(kernel_logs=rows)).is_empty()


def test_kernel_faults_are_told_from_chatter() -> None:
    bad = line("nfs: server 10.0.0.5 not responding, still trying")
    chatter = [
        line(
            "mlx5_core 0000:d2:00.0: mlx5_cmd_out_err:838:(pid 268269): ACCESS_REG(0x805) op_mod(0x1) failed", node="n2"
        ),
        line("pcieport 0000:00:1b.2: AER: Corrected error message received from 0000:03:04.0", node="n2"),
        line("watchdog: BUG: soft lockup - CPU#89 stuck for 27s! [kworker]", node="n2"),
        line("EXT4-fs (nvme1n1): mounted filesystem with ordered data mode", node="n2"),
    ]
    assert facts(found(kernel_lines.RULE, frames(kernel_logs=[bad, *chatter]))) == {("node.storage", "node", "n1")}


def test_corrected_errors_count_in_numbers() -> None:
    many = [
        line("pcieport 0000:00:1b.2: AER: Corrected error message received from 0000:03:04.0", at) for at in range(40)
    ]
    assert facts(found(pcie_aer.RULE, frames(kernel_logs=many))) == {("node.pcie", "node", "n1")}
    assert found(pcie_aer.RULE, frames(kernel_logs=many[: pcie_aer.MANY - 1])).is_empty()
    data = Metrics()
    data.add("DCGM_FI_DEV_GPU_TEMP", lambda _: 40.0, node="n1", gpu="GPU-1", gpu_bdf="0000:03:04")
    seen = found(pcie_aer.RULE, data.frames(kernel_logs=many))
    assert facts(seen) == {("gpu.pcie", "gpu", "n1/0000:03:04")}


def test_a_kill_for_memory_names_whose_memory_it_was() -> None:
    uid = "87e18f63_83cb_11e7_a01d_42010a8001db"
    limit = (
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/kubepods.slice/"
        f"kubepods-burstable-pod{uid}.slice,task_memcg=/kubepods.slice/kubepods-burstable-pod{uid}.slice/a.scope,"
        "task=python3,pid=40213,uid=0"
    )
    node = "Out of memory: Killed process 22222 (nginx) total-vm:1kB, anon-rss:1kB"
    seen = found(kernel_oom.RULE, frames(kernel_logs=[line(limit), line(node, node="n2")]))
    assert facts(seen) == {
        ("pod.oom_killed", "pod", uid.replace("_", "-")),
        ("node.memory_pressure", "node", "n2"),
    }
    chatter = line("oom_reaper: reaped process 1012 (heapster), now anon-rss:0kB")
    assert found(kernel_oom.RULE, frames(kernel_logs=[chatter])).is_empty()


def test_an_xid_that_only_a_later_one_names_is_reported_in_its_stead() -> None:
    seen = xids(line("NVRM: Xid (PCI:0000:9b:00): 45, pid=1, name=p, Ch 00000008 caused by previous Xid 62"))
    assert {kind for kind, *_ in facts(seen)} == {"xid.62"}


def test_advice_counts_when_it_is_the_last_and_asks_for_something() -> None:
    advice = "NVRM: Xid (PCI:0000:9b:00): 154, GPU recovery action changed from {} to {}"
    drain = line(advice.format("0x0 (None)", "0x4 (Drain and Reset)"), 10.0)
    reset = line(advice.format("0x4 (Drain and Reset)", "0x1 (GPU Reset Required)"), 10.5)
    clear = line(advice.format("0x1 (GPU Reset Required)", "0x0 (None)"), 500.0)
    seen = xids(drain, reset)
    assert json.loads(seen["evidence"][0])["action"] == "GPU Reset Required"
    assert xids(clear).is_empty()


def test_the_fabric_is_suspected_by_its_manager_and_by_teardowns_that_nothing_explains() -> None:
    gives_up = line("[ERROR] detected number of NVSwitches don't match with any supported system topology, aborting")
    torn = [line(f"NVRM: Xid (PCI:0000:0{n}:00): 45, pid=1, name=p, Ch 1", 10 + n, "n2") for n in range(2)]
    explained = [row | {"node": "n3"} for row in torn] + [line("NVRM: Xid (PCI:0000:01:00): 79, x", 9, "n3")]
    one = [line("NVRM: Xid (PCI:0000:01:00): 45, pid=1, name=p, Ch 1", 10, "n4")]
    seen = found(fabric_manager.RULE, frames(kernel_logs=[gives_up, *torn, *explained, *one]))
    assert facts(seen) == {("node.fabric_manager", "node", "n1"), ("node.torn_down", "node", "n2")}
    roles = dict(catalog.kinds().select("kind", "role").iter_rows())
    assert roles["node.torn_down"] == "context"


@pytest.mark.parametrize("text", ["0000:9b:00", "00000000:9B:00.0", "PCI:0000:9b:00", "0000:9b:00.0"])
def test_every_spelling_of_an_address_is_one_address(text: str) -> None:
    assert pl.select(names.bdf(pl.lit(text))).item() == "0000:9b:00"
