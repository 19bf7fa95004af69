"""Every figure of an evaluation, on cases small enough to do by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from api.evaluation.grouping import attributed, bcubed
from api.evaluation.labels import Labels, read_faults
from api.evaluation.reliability import Answer, left_out, reliability, summary
from api.evaluation.scoring import score
from correlate.baseline import chance_at, nsigma, robust
from correlate.signals import TIME

START = 1_772_438_400


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(START + seconds, UTC).isoformat().replace("+00:00", "Z")


def labels(*faults: dict[str, Any], **more: Any) -> Labels:
    """Faults ten minutes apart, five long, unless they say otherwise."""
    timed = [{"time_unix_nano": (START + n * 600) * 10**9} | fault for n, fault in enumerate(faults)]
    return Labels.parse({"faults": timed, "window_seconds": 300} | more, "test")


def incident(name: str, at: float, *causes: str, lasts: float = 200, **more: Any) -> dict[str, Any]:
    """An incident of the API whose causes are nodes."""
    ranked = [
        {"rank": rank, "score": 0.6 / rank, "entity": {"type": "node", "name": cause}, "terms": {"raw_confidence": 0.9}}
        for rank, cause in enumerate(causes, 1)
    ]
    base = {"id": name, "severity": "high", "started_at": moment(at), "ended_at": moment(at + lasts)}
    return base | {"updated_at": moment(at + lasts), "root_causes": ranked, "blast_radius": []} | more


def test_ranks_give_the_shares() -> None:
    known = labels(*({"accept": ["right"]} for _ in range(4)))
    found = [
        incident("a", 10, "right"),
        incident("b", 590, "x", "y", "right"),
        incident("c", 1210, *"abcdef", "right"),
        incident("d", 5000, "right"),
    ]
    card = score(known, found)
    assert (card.detected, card.ac1, card.ac3, card.ac5) == (0.75, 0.25, 0.5, 0.5)
    assert card.avg5 == pytest.approx((0.25 + 0.25 + 0.5 + 0.5 + 0.5) / 5)
    assert card.mrr == pytest.approx((1 + 1 / 3 + 1 / 7) / 4)
    assert card.retrieval15 == 0.75
    assert card.rerank1 == pytest.approx(1 / 3)
    assert (card.median_delay_s, card.onset_error_s) == (10, 10)
    assert card.unmatched_incidents == 1


def test_nothing_retrieved_leaves_nothing_to_rank() -> None:
    card = score(labels({"accept": ["right"]}), [incident("a", 0, "wrong")])
    assert (card.retrieval15, card.rerank1) == (0, None)


def test_decoys_that_come_first_or_are_loud() -> None:
    decoy = {
        "time_unix_nano": START * 10**9,
        "until_unix_nano": (START + 60) * 10**9,
        "name": "deploy",
        "standalone": True,
    }
    known = labels({"accept": ["right"]}, {"accept": ["right"], "decoys": ["other"]}, decoys=[decoy])
    card = score(known, [incident("a", 0, "deploy", "right"), incident("b", 600, "right", "other")])
    assert (card.decoy_first, card.decoy_rate, card.decoy_loud) == (1, 0.5, 1)


def test_the_first_causes_confidence_is_kept_as_shown_and_before_calibration() -> None:
    (verdict,) = score(labels({"accept": ["right"]}), [incident("a", 0, "wrong", "right")]).verdicts
    assert (verdict.confidence, verdict.raw, verdict.first) == (0.6, 0.9, "node wrong")


def test_bcubed_of_mixed_and_split_faults() -> None:
    assert bcubed([]) is None
    perfect = bcubed([(0, "a"), (0, "a"), (1, "b")])
    assert perfect is not None
    assert (perfect.precision, perfect.recall, perfect.f1) == (1, 1, 1)
    mixed = bcubed([(0, "a"), (0, "a"), (0, "a"), (1, "a")])
    assert mixed is not None
    assert mixed.precision == pytest.approx((3 * 3 / 4 + 1 / 4) / 4)
    assert mixed.recall == 1
    split = bcubed([(0, "a"), (0, "b"), (0, "b")])
    assert split is not None
    assert split.precision == 1
    assert split.recall == pytest.approx((1 / 3 + 2 / 3 + 2 / 3) / 3)


def test_signals_are_of_the_one_fault_that_names_their_entity_while_it_lasts() -> None:
    faults = read_faults(
        labels({"accept": ["one"], "blast_radius": ["both"]}, {"accept": ["two"], "blast_radius": ["both"]})
    )

    def seen(name: str, at: float, role: str = "effect") -> dict[str, Any]:
        return {"time": moment(at), "role": role, "entity": {"type": "pod", "name": f"ns/{name}"}}

    timeline = [
        seen("one", 0), seen("both", 100), seen("both", 700), seen("one", 700), seen("stranger", 0),
        seen("one", 0, "context"), seen("two", 2000),
    ]  # fmt: skip
    assert attributed(faults, [{"id": "a", "timeline": timeline}]) == [(0, "a"), (0, "a"), (1, "a")]


def buckets(**series: list[float]) -> pl.DataFrame:
    """A bucket every 30 s; the fault begins with the eleventh."""
    rows = [
        {"entity_type": "service", "entity": name, "feature": "f", "bucket": (START + n * 30) * 10**9, "value": value}
        for name, values in series.items()
        for n, value in enumerate(values)
    ]
    return pl.DataFrame(rows).with_columns(pl.col("bucket").cast(TIME))


def order(found: pl.DataFrame) -> list[str]:
    return found["entity"].to_list()


def test_baselines_rank_what_moved_most() -> None:
    noise = [10.0, 11, 10, 9, 10, 11, 10, 9, 10, 11]
    known = buckets(still=[*noise, *noise], grew=[*noise, *([30.0] * 10)], fell=[*noise, *([1.0] * 10)])
    at = (START + 300) * 10**9
    assert order(nsigma(known, at, 300, 300)) == ["grew", "fell", "still"]
    # BARO looks upwards only: what falls is behind what does not move.
    assert order(robust(known, at, 300, 300)) == ["grew", "still", "fell"]


def test_baros_scorer_counts_a_range_of_nothing_as_one() -> None:
    known = buckets(flat=[5.0] * 10 + [8.0] * 10)
    assert robust(known, (START + 300) * 10**9, 300, 300)["score"].to_list() == [3.0]


def test_a_spike_counts_for_baro_and_hardly_for_nsigma() -> None:
    noise = [10.0, 12, 8, 10, 12, 8, 10, 12, 8, 10]
    known = buckets(spike=[*noise, 60.0, *noise[1:]], shift=[*noise, *(v + 15 for v in noise)])
    at = (START + 300) * 10**9
    assert order(robust(known, at, 300, 300)) == ["spike", "shift"]
    assert order(nsigma(known, at, 300, 300)) == ["shift", "spike"]


def test_chance_is_that_of_drawing_without_putting_back() -> None:
    assert chance_at(1, 10, 1) == pytest.approx(0.1)
    assert chance_at(3, 10, 1) == pytest.approx(0.3)
    assert chance_at(2, 4, 2) == pytest.approx(1 - 2 / 4 * 1 / 3)
    assert chance_at(5, 3, 1) == 1
    assert chance_at(1, 0, 0) == chance_at(1, 5, 0) == 0


def test_reliability_of_the_honest_and_of_the_boastful() -> None:
    right = [True] * 8 + [False] * 2
    honest, boastful = reliability("honest", [0.8] * 10, right), reliability("boastful", [0.99] * 10, right)
    assert honest.ece == pytest.approx(0.0)
    assert honest.brier == pytest.approx(0.16)
    assert boastful.ece == pytest.approx(0.19)
    assert honest.bins[0].answers == 10
    assert (honest.bins[0].low, honest.bins[0].high) == (0.8, 0.9)
    assert reliability("certain", [1.0], [True]).bins[0].high == 1.0
    assert reliability("silent", [], []).ece is None


def test_a_dataset_left_out_is_judged_by_what_the_others_teach() -> None:
    def answers(dataset: str, *good: bool) -> list[Answer]:
        return [Answer(dataset, 0.9, 0.9, right) for right in good]

    found = answers("easy", *[True] * 9, False) + answers("hard", *[True] * 5, *[False] * 5)
    shown = left_out(found)
    assert shown[:10] == pytest.approx([0.5] * 10, abs=0.05), "easy is judged by hard's frequency"
    assert shown[10:] == pytest.approx([0.9] * 10, abs=0.1), "hard by easy's"
    whole = summary(found)
    assert [curve["name"] for curve in whole["curves"]] == [
        "shown", "uncalibrated", "fitted to all", "fitted to the other sets",
    ]  # fmt: skip
    assert (whole["fit"]["answers"], whole["fit"]["right"]) == (20, 14)
    fitted = whole["curves"][2]
    assert fitted["ece"] < 0.05 < whole["curves"][1]["ece"]
