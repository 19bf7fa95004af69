"""Calibration and hysteresis: what becomes one signal, when it began, and how it scores."""

from __future__ import annotations

import polars as pl
import pytest

from correlate.episodes import EVIDENCE, above_calm, bucket_of, calibrate, episodes, score_of
from correlate.frames import Frames
from correlate.signals import SIGNAL, TIME
from store import Window

STEP = 30 * 10**9
# A bucket boundary: buckets are aligned to the epoch.
START = 1_700_000_010 // 30 * STEP


def evidence(stats: dict[int, float], entity: str = "a") -> pl.LazyFrame:
    """One row per bucket number; explanations carry the number."""
    rows = [
        ("k", "service", entity, START + i * STEP, s, s, 0.0, 1, f"bucket {i}", "{}") for i, s in sorted(stats.items())
    ]
    raw = EVIDENCE | {"bucket": pl.Int64()}
    return pl.DataFrame(rows, schema=raw, orient="row").with_columns(pl.col("bucket").cast(TIME)).lazy()


def judged(first: int, end: int) -> Frames:
    """Frames whose window spans the buckets [first, end)."""
    return Frames(Window(START + first * STEP, START + end * STEP), START)


def found(rows: pl.LazyFrame, window: Frames, **options: float | int) -> pl.DataFrame:
    return episodes(rows, window, **options).collect().sort("onset")  # type: ignore[arg-type]


def onsets(signals: pl.DataFrame) -> list[int]:
    return [(ns - START) // STEP for ns in signals["onset"].dt.timestamp("ns").to_list()]


def test_a_run_of_hot_buckets_is_one_signal() -> None:
    signals = found(evidence({0: 0.1, 10: 4.0, 11: 9.0, 12: 8.0, 13: 0.2}), judged(0, 20))
    assert signals.schema == pl.Schema(SIGNAL)
    assert onsets(signals) == [10]
    assert signals["until"].dt.timestamp("ns").to_list() == [START + 13 * STEP - 1]
    assert signals["explanation"].to_list() == ["bucket 11"]
    assert signals["value"].to_list() == [9.0]


def test_it_stays_one_through_a_dip_and_splits_after_a_pause() -> None:
    dip = found(evidence({10: 5.0, 11: 1.6, 13: 5.0}), judged(0, 20))
    pause = found(evidence({10: 5.0, 11: 0.1, 12: 0.1, 13: 0.1, 14: 5.0}), judged(0, 20))
    assert (onsets(dip), onsets(pause)) == ([10], [10, 14])


def test_warm_buckets_alone_are_nothing() -> None:
    assert found(evidence({10: 2.9, 11: 2.9}), judged(0, 20)).is_empty()


def test_a_later_window_sees_the_same_onset_and_only_what_is_still_going_on() -> None:
    running = evidence({3: 4.0} | dict.fromkeys(range(10, 30), 6.0))
    early, late = found(running, judged(0, 20)), found(running, judged(20, 40))
    assert onsets(early.filter(pl.col("explanation") != "bucket 3")) == onsets(late) == [10]
    assert late["until"][0] > early["until"].max()


def test_a_run_that_only_stays_warm_fades() -> None:
    lukewarm = {10: 5.0} | dict.fromkeys(range(11, 40), 2.0) | {40: 5.0}
    assert onsets(found(evidence(lukewarm), judged(0, 60))) == [10, 40]


def test_nothing_is_seen_after_the_window() -> None:
    window = Frames(Window(START, START + 10 * STEP + STEP // 2), START)
    assert found(evidence({10: 5.0}), window)["seen"].dt.timestamp("ns").to_list() == [window.window.end - 1]


def test_what_lasts_scores_higher_than_what_passes() -> None:
    once, twice = (found(evidence(dict.fromkeys(range(10, 10 + n), 8.0)), judged(0, 20))["score"][0] for n in (1, 2))
    assert 3.0 <= once < twice <= 10.0


@pytest.mark.parametrize(("stat", "score"), [(0.0, 0.0), (3.0, 3.0), (10.0, 5.882), (1e6, 10.0)])
def test_scores(stat: float, score: float) -> None:
    assert pl.select(score_of(pl.lit(stat))).item() == pytest.approx(score, abs=1e-3)


def test_an_onset_inside_the_bucket_is_kept() -> None:
    moment = START + 10 * STEP + 7
    rows = evidence({10: 5.0}).with_columns(pl.lit(moment).cast(TIME).alias("first"))
    assert found(rows, judged(0, 20))["onset"].dt.timestamp("ns").to_list() == [moment]


def test_always_odd_is_ordinary() -> None:
    level = {i: 50.0 + i % 3 for i in range(40)}
    same = found(calibrate(evidence(level), floor=1.0).filter(pl.col("bucket").is_not_null()), judged(10, 40))
    jump = found(calibrate(evidence(level | {40: 80.0, 41: 80.0}), floor=1.0), judged(10, 50))
    assert same.is_empty()
    assert onsets(jump) == [40]


def test_holes_do_not_age_the_past() -> None:
    """The reference counts buckets that hold something, not seconds."""
    holey = {i * 100: 5.0 for i in range(20)} | {2000: 20.0}
    assert calibrate(evidence(holey), floor=1.0).collect()["stat"][-1] == pytest.approx(15.0)


def test_calibration_never_looks_ahead() -> None:
    past = {i: 1.0 + i % 4 for i in range(20)}
    short = calibrate(evidence(past), floor=1.0).collect()
    long = calibrate(evidence(past | dict.fromkeys(range(20, 40), 99.0)), floor=1.0).collect()
    assert long.head(20).equals(short)


def test_a_past_that_was_faulty_half_of_the_time_is_still_calm() -> None:
    half = {i: 9.0 if i % 2 else 0.0 for i in range(40)} | {40: 9.0}
    # News, but not as much as what was never odd before.
    assert above_calm(evidence(half), floor=1.0).collect()["stat"][-1] == pytest.approx(4.5)
    calm = dict.fromkeys(range(40), 0.0) | {40: 9.0}
    assert above_calm(evidence(calm), floor=1.0).collect()["stat"][-1] == pytest.approx(9.0)
    assert above_calm(evidence(dict.fromkeys(range(40), 9.0)), floor=1.0).collect()["stat"][-1] == 0.0


def test_row_order_does_not_matter() -> None:
    rows = pl.concat([evidence({10: 5.0, 11: 5.0}), evidence({10: 5.0, 12: 7.0}, "b")])
    shuffled = rows.collect().sample(fraction=1.0, shuffle=True, seed=3).lazy()
    assert found(rows, judged(0, 20)).sort("entity").equals(found(shuffled, judged(0, 20)).sort("entity"))


def test_buckets_are_aligned_to_the_epoch() -> None:
    times = pl.DataFrame({"time": [START, START + STEP - 1, START + STEP]}).with_columns(pl.col("time").cast(TIME))
    assert times.select(bucket_of().dt.timestamp("ns")).to_series().to_list() == [START, START, START + STEP]
