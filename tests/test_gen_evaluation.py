"""The page of evaluations takes its figures from runs, and the catalogue says where its numbers come from."""

from __future__ import annotations

import pytest

from scripts.gen_evaluation import PAGE, catalogue, filled, together
from tests.api.test_evaluate_report import result, whole


def test_the_page_has_a_place_for_every_section_and_is_the_same_when_filled_twice() -> None:
    run = together([whole(result("alpha"), result("beta"))])
    once = filled(PAGE.read_text(encoding="utf-8"), run)
    assert filled(once, run) == once
    assert "| `alpha` | 2 | 0.500 | 0.750 |" in once
    assert "All sets together, by faults:" in once
    assert "| gpu | 0.000 (-0.500) | 0.750 | - | 2 |" in once
    assert "| gpu | 0.000 (-0.500) | 0.750 | - | 4 |" in once


def test_a_page_without_a_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section 'scores'"):
        filled("# Evaluation", together([whole(result("alpha"))]))


def test_the_last_run_of_a_dataset_counts() -> None:
    later = result("alpha") | {"accept": "loose"}
    run = together([whole(result("alpha"), result("beta")), whole(later)])
    assert [(found["dataset"], found["accept"]) for found in run["datasets"]] == [
        ("alpha", "loose"),
        ("beta", "strict"),
    ]


def test_the_catalogue_names_its_source() -> None:
    source, header, numbers = catalogue(together([whole(result("alpha"), result("beta"))])).splitlines()
    assert source.startswith("# Platt's sigmoid fitted by scripts/gen_evaluation.py to 2 first causes, 0 of them right")
    assert "alpha, beta" in source
    assert header == "slope,intercept,answers,right"
    assert numbers == "1.0,0.0,2,0"
