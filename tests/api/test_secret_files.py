"""Any setting may come from a file; what cannot be meant is refused in a sentence without the secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.errors import UsageError
from api.secret_files import setting_names
from api.settings import Settings
from scripts import gen_docs


def test_a_nested_setting_comes_from_the_file_that_its_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, broker = tmp_path / "url", tmp_path / "broker"
    url.write_text("http://u:secret@db:8123/\n", encoding="utf-8")
    broker.write_text("redis://:secret@cache:6379/0", encoding="utf-8")
    monkeypatch.setenv("CAUSELINE_STORE__URL_FILE", str(url))
    monkeypatch.setenv("CAUSELINE_STORE__MAX_CLIENTS", "5")
    monkeypatch.setenv("CAUSELINE_BROKER_URL_FILE", str(broker))
    settings = Settings()
    assert settings.store_settings.url == "http://u:secret@db:8123/"
    assert settings.store_settings.max_clients == 5
    # Where the data is may be printed; the password may not.
    assert settings.store_settings.place == "http://db:8123/"
    assert settings.message_broker.url == "redis://:secret@cache:6379/0"


def test_a_setting_that_is_a_file_itself_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"0123456789abcdef")
    monkeypatch.setenv("CAUSELINE_INGEST__REDACTION_KEY_FILE", str(key))
    assert Settings().ingest.redaction_key_file == key


def test_the_same_setting_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSELINE_BROKER_URL", "redis://a/0")
    monkeypatch.setenv("CAUSELINE_BROKER_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(UsageError, match="both set"):
        Settings()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "empty"), (b"\xff\xfe", "not text"), (b"x" * 70_000, "large")]
)
def test_a_file_that_holds_no_setting_is_refused(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("CAUSELINE_BROKER_URL_FILE", str(file))
    with pytest.raises(UsageError, match=reason) as refused:
        Settings()
    assert "CAUSELINE_BROKER_URL_FILE" in str(refused.value)


def test_every_documented_setting_can_come_from_a_file() -> None:
    assert setting_names(Settings) == gen_docs.setting_names()
