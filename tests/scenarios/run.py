"""`python -m tests.scenarios.run`: how well the causes of simulated faults are named.

Options: `--archetype A10` (again for more), `--seed N` (again for more), `--write DIR` (datasets for `causeline
evaluate` instead of a verdict), `--show` (every incident with its causes).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from store import Store, StoreSettings, migrate
from tests.scenarios.judge import FAULTS, Outcome, judge, play, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Run scenarios and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.run", description=__doc__)
    parser.add_argument("--archetype", action="append", choices=sorted(FAULTS), help="only this one; may be repeated")
    parser.add_argument("--seed", action="append", type=int, help="default 1; may be repeated")
    parser.add_argument("--write", type=Path, help="write the telemetry and labels to folders here, and judge nothing")
    parser.add_argument("--data", type=Path, help="keep the store here, and use the one that is there")
    parser.add_argument("--show", action="store_true", help="print every incident")
    options = parser.parse_args(arguments)
    chosen = [(name, seed) for seed in options.seed or [1] for name in options.archetype or sorted(FAULTS)]
    if options.write is not None:
        for name, seed in chosen:
            write(play(name, seed), options.write / f"{name.lower()}-{seed}")
        return 0
    with tempfile.TemporaryDirectory(prefix="causeline-scenarios-") as folder:
        store = Store.open(StoreSettings.embedded(options.data or Path(folder)))
        try:
            migrate.apply(store)
            outcomes = _judged(store, chosen, show=options.show)
        finally:
            store.close()
    _say(summary(outcomes))
    return 0 if len(outcomes) == len(chosen) else 1


def _judged(store: Store, chosen: Sequence[tuple[str, int]], *, show: bool) -> list[Outcome]:
    outcomes = []
    for name, seed in chosen:
        try:
            outcomes.append(judge(store, name, seed))
        except Exception:  # noqa: BLE001 - one broken scenario must not hide the others; it counts as missing
            _say(f"{name} {seed} failed\n{traceback.format_exc()}")
            continue
        _say(line(outcomes[-1]))
        if show:
            _say(told(outcomes[-1]))
    return outcomes


def line(one: Outcome) -> str:
    """One scenario in a line."""
    verdict = one.verdict
    jaccard = "    " if one.jaccard is None else f"{one.jaccard:4.2f}"
    mark = "ok  " if one.right else "in 3" if one.among_three else "MISS"
    first = f"{verdict.first} ({verdict.confidence})" if verdict.first else "no incident"
    decoy = " DECOY" if verdict.decoy_first else ""
    return f"{one.archetype} {one.seed:2d} {mark} blast {jaccard} {one.seconds:5.1f} s{decoy}  {first}"


def told(one: Outcome) -> str:
    """Every incident of a scenario with its causes and what it says was hurt."""
    lines = []
    for incident in one.incidents:
        lines.append(f"    {incident['started_at'][11:19]} {incident['severity']:8} {incident['id']}")
        lines += [
            f"      {cause['rank']}. {cause['score']:.2f} {cause['entity']['type']} {cause['entity']['name']}: "
            f"{cause['kind']} {cause['explanation'][:110]}"
            for cause in incident["root_causes"][:4]
        ]
        lines.append("      hurt: " + ", ".join(f"{hurt['type']} {hurt['name']}" for hurt in incident["blast_radius"]))
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Totals of all scenarios."""
    if not outcomes:
        return "nothing was judged"
    count = len(outcomes)
    jaccards = [one.jaccard for one in outcomes if one.jaccard is not None]
    return (
        f"{count} scenarios: AC@1 {sum(one.right for one in outcomes) / count:.2f}, "
        f"AC@3 {sum(one.among_three for one in outcomes) / count:.2f}, "
        f"incident at all {sum(one.verdict.incident is not None for one in outcomes) / count:.2f}, "
        f"blast radius {sum(jaccards) / max(len(jaccards), 1):.2f}, "
        f"decoy first {sum(one.verdict.decoy_first for one in outcomes)}, "
        f"{sum(one.seconds for one in outcomes) / count:.1f} s of processor time each"
    )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
