"""What `causeline decide` asks the API for, and what it says when something is missing."""

from __future__ import annotations

from typing import Any

import pytest

from api.commands.decide import Verb, _entity, _request
from api.errors import UsageError

GPU = {"type": "gpu", "name": "n1/gpu0"}


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        (Verb.ACKNOWLEDGE, "acknowledge", {}), (Verb.COMMENT, "comments", {}), (Verb.REOPEN, "reopen", {}),
        (Verb.ASSIGN, "assign", {"assignee": ""}), (Verb.MERGE, "merge", {"into": "inc-2"}),
        (Verb.SPLIT, "split", {"entities": [GPU]}), (Verb.CONFIRM, "causes", {"entity": GPU, "verdict": "confirmed"}),
        (Verb.REJECT, "causes", {"entity": GPU, "verdict": "rejected"}),
    ],
)  # fmt: skip
def test_each_verb_has_its_address(verb: Verb, path: str, body: dict[str, Any]) -> None:
    assert _request(verb, "", "inc-2", [_entity("gpu/n1/gpu0")]) == (path, body)


@pytest.mark.parametrize(
    ("verb", "flag"),
    [(Verb.ASSIGN, "--to"), (Verb.MERGE, "--into"), (Verb.SPLIT, "--entity"), (Verb.CONFIRM, "--entity")],
)
def test_what_is_missing_is_named(verb: Verb, flag: str) -> None:
    with pytest.raises(UsageError, match=flag):
        _request(verb, None, None, [])
    with pytest.raises(UsageError, match="TYPE/NAME"):
        _entity("gpu")
