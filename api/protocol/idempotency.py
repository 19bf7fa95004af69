"""A request with an Idempotency-Key is done once; sent again, it gets the answer it got.

As https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header has it: a key that comes with another
request, or while the first is still being worked on, is refused. Answers are kept for a day.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import polars as pl
from fastapi import Header, Request, Response
from pydantic import BaseModel

from api.errors import KeyInUse
from store import Store

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this request, so that sending it again does nothing twice; good for a day.",
        examples=["8e03978e-40d5-43e8-bc93-6894a57f9324"],
    ),
]
_under_way: set[tuple[str, str]] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Once:
    """Answers of one tenant's requests by their keys."""

    store: Store
    tenant: str

    def answer(
        self, key: str | None, request: Request, body: BaseModel | None, act: Callable[[], tuple[int, BaseModel]]
    ) -> Response:
        """What `act` (status and model) answers, or what it answered. Raises KeyInUse, and whatever `act` raises."""
        if key is None:
            status, model = act()
            return _json(status, model.model_dump_json())
        said = body.model_dump_json() if body is not None else ""
        digest = hashlib.blake2b(f"{request.method} {request.url.path}\n{said}".encode(), digest_size=16).hexdigest()
        with self._alone(key):
            known = self.store.rows("idempotent_answer", {"tenant": self.tenant, "key": key})
            if known:
                if known[0]["request"] != digest:
                    raise KeyInUse("this Idempotency-Key came with another request")
                return _json(known[0]["status"], known[0]["answer"], replayed=True)
            status, model = act()
            text = model.model_dump_json()
            self._keep(key, digest, status, text)
            return _json(status, text)

    def _keep(self, key: str, digest: str, status: int, text: str) -> None:
        row = pl.DataFrame({"Tenant": [self.tenant], "Key": [key], "Request": [digest], "Answer": [text]})
        at = pl.lit(time.time_ns() // 1_000_000).cast(pl.Datetime("ms", "UTC"))
        self.store.insert_frame("idempotent_answers", row.with_columns(Status=pl.lit(status, pl.UInt16), At=at))

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        name = (self.tenant, key)
        with _lock:
            if name in _under_way:
                raise KeyInUse("a request with this Idempotency-Key is being worked on")
            _under_way.add(name)
        try:
            yield
        finally:
            with _lock:
                _under_way.discard(name)


def _json(status: int, text: str, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    return Response(text, status_code=status, media_type="application/json", headers=headers)
