"""The demo, as a newcomer runs it."""

from __future__ import annotations

import re

from tests.kit.running import causeline


def test_the_demo_names_the_failed_gpu_or_its_node_first() -> None:
    done = causeline("demo", timeout=90)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    first = re.search(r"Root causes\n\s+1\.\s+([01]\.\d\d)\s+(gpu|node) (\S+)", text)
    assert first is not None, text
    assert float(first[1]) > 0.5
    for word in ("Timeline", "xid.79", "pod.restart", "quality", "Hurt"):
        assert word in text
    # The deploy nearby is innocent.
    assert not re.search(r"1\.\s+[01]\.\d\d\s+\S+ \S+\s+change\.", text)
    assert "\x1b[" not in text, "no colours when not on a terminal"
