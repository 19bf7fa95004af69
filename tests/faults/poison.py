"""Messages that no worker should act on, pushed straight into Redis as an intruder or a broken producer would."""

from __future__ import annotations

import base64
import json
import pickle
import tempfile
import uuid
from pathlib import Path
from typing import Any

import redis

from correlate.celery_app import LIVE_PASS, RUN_JOB
from correlate.jobs import job_id
from store import Window

QUEUE = "correlate"
_PROOF = Path(tempfile.gettempdir()) / f"causeline-pickle-{uuid.uuid4().hex}"


class _Trap:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (_PROOF,)


def executed() -> bool:
    """Whether anybody unpickled the trap."""
    return _PROOF.exists()


def _message(body: bytes, content_type: str, encoding: str, task: str) -> str:
    """A message as kombu's Redis transport keeps it (https://docs.celeryq.dev/en/stable/internals/protocol.html)."""
    tag, identifier = str(uuid.uuid4()), str(uuid.uuid4())
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": content_type,
            "content-encoding": encoding,
            "headers": {"lang": "py", "task": task, "id": identifier, "root_id": identifier, "argsrepr": "?"},
            "properties": {
                "correlation_id": identifier, "delivery_mode": 2, "delivery_tag": tag, "body_encoding": "base64",
                "delivery_info": {"exchange": "", "routing_key": QUEUE}, "priority": 0,
            },
        }
    )  # fmt: skip


def messages() -> dict[str, str]:
    """Each kind of poison, by what is wrong with it."""
    call = json.dumps([["default", "window:default:0:0"], {}, {}]).encode()
    wrong = json.dumps([["default"], {"no": "such"}, {}]).encode()
    return {
        "a pickle": _message(pickle.dumps(((_Trap(),), {}, {})), "application/x-python-serialize", "binary", RUN_JOB),
        "a pickle that calls itself JSON": _message(pickle.dumps(_Trap()), "application/json", "utf-8", RUN_JOB),
        "YAML": _message(b"!!python/object/apply:os.abort []", "application/x-yaml", "utf-8", RUN_JOB),
        "half a JSON body": _message(call[:20], "application/json", "utf-8", RUN_JOB),
        "JSON that is no call": _message(b'{"hello": 1}', "application/json", "utf-8", RUN_JOB),
        "a body in no encoding": _message(b"\xff\xfe\x00", "application/json", "utf-8", LIVE_PASS),
        "a task that does not exist": _message(call, "application/json", "utf-8", "os.system"),
        "wrong arguments": _message(wrong, "application/json", "utf-8", RUN_JOB),
        "a job that does not exist": _message(call, "application/json", "utf-8", RUN_JOB),
        "no message at all": "this is not JSON",
        "JSON that is no message": '{"x": 1}',
        "a number": "17",
    }


def push(client: redis.Redis) -> None:
    """One of each into the workers' queue."""
    for message in messages().values():
        client.lpush(QUEUE, message)


def repeat_hint(client: redis.Redis, window: Window, times: int) -> None:
    """The hint about the default tenant's job over `window`, so many times."""
    call = json.dumps([["default", job_id("default", window)], {}, {}]).encode()
    for _ in range(times):
        client.lpush(QUEUE, _message(call, "application/json", "utf-8", RUN_JOB))


def waiting(client: redis.Redis) -> float:
    """Messages in the queue that nobody has taken."""
    length = client.llen(QUEUE)
    assert isinstance(length, int)
    return float(length)
