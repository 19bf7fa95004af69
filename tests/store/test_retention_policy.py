"""Retention policy files: what they say, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.errors import BadRetention
from store.retention.policy import Group, RetentionPolicy, read


def written(folder: Path, text: str) -> Path:
    """A policy file."""
    path = folder / "retention.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_policy_everything_is_kept() -> None:
    policy = RetentionPolicy()
    assert [policy.days("anybody", group) for group in Group] == [None] * 6
    assert [policy.least_days(group) for group in Group] == [None] * 6
    assert policy.name == ""


def test_a_tenant_goes_before_everybody_and_group_by_group(tmp_path: Path) -> None:
    policy = read(
        written(
            tmp_path,
            """
            version = 1
            [keep]
            traces = 14
            logs = 30
            [tenant.acme]
            traces = 3
            logs = "forever"
            metrics = 90
            """,
        )
    )
    assert [policy.days("acme", group) for group in (Group.TRACES, Group.LOGS, Group.METRICS)] == [3, None, 90]
    assert [policy.days("other", group) for group in (Group.TRACES, Group.LOGS, Group.METRICS)] == [14, 30, None]
    assert (policy.most_days(Group.TRACES), policy.least_days(Group.TRACES)) == (14, 3)
    assert (policy.most_days(Group.LOGS), policy.least_days(Group.LOGS)) == (None, 30)
    assert (policy.most_days(Group.METRICS), policy.least_days(Group.METRICS)) == (None, 90)


def test_the_same_policy_has_the_same_name_and_another_has_another(tmp_path: Path) -> None:
    first = read(written(tmp_path, "version = 1\n[keep]\nlogs = 3\n")).name
    assert read(written(tmp_path, "# a remark\nversion = 1\nkeep = {logs = 3}\n")).name == first != ""
    assert read(written(tmp_path, "version = 1\n[keep]\nlogs = 4\n")).name != first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[keep]\nlogs = 3\n", "version"),
        ("version = 2\n", "version"),
        ("version = 1\n[keep]\nlogs = 0\n", "keep.logs"),
        ("version = 1\n[keep]\nlog = 3\n", "keep.log"),
        ("version = 1\n[tenant.'a b']\nlogs = 3\n", "tenant.a b"),
        ("version = 1\n[pins]\nmin_severity = 'bad'\n", "pins.min_severity"),
        ("version = 1\n[tiers]\nstorage_policy = 'x'\nvolume = 'y'\nafter_days = {}\n", "tiers.after_days"),
        ("version = 1\n[tiers]\nstorage_policy = \"x'y\"\nvolume = 'y'\nafter_days = {logs = 1}\n", "tiers.storage"),
        ("version 1", "not TOML"),
        (
            "version = 1\n[keep]\nlogs = 30\nincidents = 100\n[pins]\nmonths = 6\n",
            "incidents must be kept 216 days at least",
        ),
        (
            "version = 1\n[keep]\nlogs = 30\n[tenant.a]\nincidents = 100\n[pins]\nmonths = 6\n",
            "tenant a: incidents must be kept 216 days",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadRetention, match=said):
        read(written(tmp_path, text))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadRetention, match="cannot be read: No such file"):
        read(tmp_path / "none.toml")
