"""A body that is too long is refused with a problem document, whether its length is told or found."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from api.protocol.problems import MEDIA_TYPE

LARGEST = 8 * 1024 * 1024


def pieces() -> Iterator[bytes]:
    for _ in range(9):
        yield b" " * (LARGEST // 8)


@pytest.mark.parametrize("body", [b" " * (LARGEST + 1), pieces()], ids=["told", "in pieces"])
@pytest.mark.parametrize("path", ["/api/v2/alerts", "/api/v1/correlations"])
def test_a_body_that_is_too_long(api: httpx.Client, path: str, body: bytes | Iterator[bytes]) -> None:
    content = body if isinstance(body, bytes) else pieces()
    answer = api.post(path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (413, MEDIA_TYPE)
    assert answer.json()["status"] == 413


def test_the_longest_one_is_read(api: httpx.Client) -> None:
    answer = api.post(
        "/api/v2/alerts", content=b"[]" + b" " * (LARGEST - 2), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code < 413
