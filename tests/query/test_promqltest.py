"""Prometheus' own test scripts of PromQL, run over series in memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.kit.promqltest import run

LISTED = Path(__file__).parent / "promqltest_differences.txt"
# The statements with floats that the project wants to pass, of 1,223; and all of them, histograms included, of 2,213.
FLOATS, ALL = 1150, 1800


def listed() -> dict[str, str]:
    """Statements that differ, by file and line, and why."""
    found: dict[str, str] = {}
    reason = ""
    for line in LISTED.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            reason = line[3:]
        elif line and not line.startswith("#"):
            found[line.split()[0]] = reason
    return found


def test_every_statement_passes_or_is_listed_with_a_reason(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, known = shared / "suites/prometheus/promqltest/testdata", listed()
    wrong: dict[str, str] = {}
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for path in sorted(folder.glob("*.test")):
        for statement, why in run(path):
            kind = "histograms" if statement.histograms or path.stem == "native_histograms" else "floats"
            total[kind] += 1
            passed[kind] += not why
            if why:
                wrong[statement.place] = f"{statement.query}: {why}"
    with capsys.disabled():
        print(  # noqa: T201  # the figures are what it is run for
            f"\npromqltest: {passed['floats']} of {total['floats']} statements with floats, "
            f"{passed['histograms']} of {total['histograms']} with histograms"
        )
    assert {place: why for place, why in wrong.items() if place not in known} == {}
    assert set(known) - set(wrong) == set(), "listed as different, but passes"
    assert passed["floats"] >= FLOATS
    assert passed.total() >= ALL
