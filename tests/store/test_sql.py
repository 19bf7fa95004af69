"""Named queries: read once, with conditions that stand only where something is asked of them."""

from __future__ import annotations

import re
import resource

import pytest

from store import sql

TEXT = """SELECT 1
WHERE true
-- if name
    AND Name = {name:String}
-- end
-- if ids
    AND has({ids:Array(String)}, Id)
-- end
LIMIT 1
"""


def test_a_condition_stands_where_its_parameter_has_a_value() -> None:
    assert sql.asked(TEXT, {"name": "x", "ids": []}) == "SELECT 1\nWHERE true\n    AND Name = {name:String}\nLIMIT 1\n"
    assert sql.asked(TEXT, {"ids": ["x"]}) == "SELECT 1\nWHERE true\n    AND has({ids:Array(String)}, Id)\nLIMIT 1\n"
    assert sql.asked(TEXT, {}) == "SELECT 1\nWHERE true\nLIMIT 1\n"


def test_a_value_is_never_part_of_the_text() -> None:
    assert "it's" not in sql.asked(TEXT, {"name": "it's -- end"})


@pytest.mark.parametrize("name", sql.names())
def test_every_condition_of_a_query_begins_and_ends_and_names_a_parameter_of_it(name: str) -> None:
    text = sql.load(name)
    opened = re.findall(r"^-- if (\w+)$", text, re.MULTILINE)
    assert len(opened) == len(re.findall(r"^-- end$", text, re.MULTILINE))
    assert not re.search(r"^-- (if|end)\b", sql.asked(text, dict.fromkeys(opened, 1)), re.MULTILINE)
    for parameter in opened:
        assert f"{{{parameter}:" in text


def test_no_query_needs_a_file_once_one_was_read() -> None:
    """Without file descriptors a failed insert has to be undone, with queries that were of no use before."""
    assert sql.load("entity_engine")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, most[1]))
        texts = {name: sql.load(name, clustered=clustered) for name in sql.names() for clustered in (False, True)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert all(texts.values())
    assert sql.load("disk_room", clustered=True) != sql.load("disk_room")
