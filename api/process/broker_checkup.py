"""A check-up of Redis: whether what waits in it survives its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from correlate.broker import BrokerSettings
from store.finding import Finding, Grade

_ANSWER_S = 2.0


def findings(settings: BrokerSettings) -> list[Finding]:
    """What was found of the broker; nothing is asked of one in this process's memory or behind a sentinel."""
    if not settings.remote:
        return [Finding("broker", Grade.OK, "hints wait in memory: one process does everything")]
    if not settings.url.startswith(("redis://", "rediss://")):
        return [Finding("broker", Grade.OK, "the broker is behind a sentinel, which is not looked at")]
    redis = Redis.from_url(settings.url, socket_timeout=_ANSWER_S, socket_connect_timeout=_ANSWER_S)
    try:
        return list(_of(redis, settings.url))
    except (RedisError, OSError) as error:
        said = f"Redis does not answer: {type(error).__name__}"
        return [Finding("broker", Grade.PROBLEM, said, "start it, or correct CAUSELINE_BROKER__URL and its password")]
    finally:
        redis.close()


def _of(redis: Redis, url: str) -> Iterator[Finding]:
    info: dict[str, Any] = redis.info()
    yield Finding("broker", Grade.OK, f"Redis {info['redis_version']} answers")
    if not info["aof_enabled"]:
        advice = "set appendonly yes and appendfsync everysec: without, a Redis that dies forgets what waits"
        yield Finding("broker", Grade.WARNING, "Redis keeps no append-only file", advice)
    elif info["aof_last_write_status"] != "ok":
        yield Finding("broker", Grade.PROBLEM, "Redis cannot write its append-only file", "look at its disk and log")
    else:
        yield Finding("broker", Grade.OK, "Redis keeps an append-only file")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        said = f"Redis drops keys when memory is short ({policy})"
        yield Finding("broker", Grade.PROBLEM, said, "set maxmemory-policy noeviction: a queue is not a cache")
    if "@" not in url and not url.startswith("unix"):
        yield Finding("broker", Grade.WARNING, "Redis asks for no password", "set requirepass or an ACL user")
