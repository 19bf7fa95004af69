"""The running system's API as a Python object, for the commands."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import Any

import httpx

from api.errors import SystemUnreachable

Job = dict[str, Any]
_POLL_S = 0.2


class ApiClient:
    """Speaks to one running system.

    Every method raises SystemUnreachable, with the API's own words, when it is refused.
    """

    def __init__(self, base_url: str, key: str = "") -> None:
        self._base = base_url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # To another host httpx does not take the header along when it is redirected.
        # Its verification knows the variable SSL_CERT_FILE, for a CA of one's own.
        verify = ssl.create_default_context()
        self._http = httpx.Client(timeout=60.0, trust_env=False, follow_redirects=True, headers=headers, verify=verify)

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def incidents(self, **filters: str | int) -> Iterator[dict[str, Any]]:
        """Every incident the filters match, newest first, over all pages."""
        cursor: str | None = None
        while True:
            page = self._call("GET", "/api/v1/incidents", params={**filters, **({"cursor": cursor} if cursor else {})})
            yield from page["incidents"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def incident(self, incident_id: str) -> dict[str, Any]:
        """One incident with its timeline, graph and evidence."""
        return self._call("GET", f"/api/v1/incidents/{incident_id}")

    def decide(self, incident_id: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        """The incident once it was decided about; `verb` is the last part of the API's address."""
        return self._call("POST", f"/api/v1/incidents/{incident_id}/{verb}", json=body)

    def report(self, incident_id: str) -> str:
        """A post-mortem's draft in Markdown."""
        self.incident(incident_id)
        path = f"{self._base}/api/v1/incidents/{incident_id}/report"
        return self._http.get(path, params={"format": "markdown"}).raise_for_status().text

    def status(self) -> dict[str, Any]:
        """Versions, counts and ingest statistics."""
        return self._call("GET", "/api/v1/status")

    def correlate(self, start: str, end: str, progress: Callable[[Job], None], timeout_s: float = 3600.0) -> Job:
        """Back-fill [start, end) and wait; `progress` sees the job each time it has changed.

        Raises SystemUnreachable when the job fails, or stands still for `timeout_s`.
        """
        job = self._call("POST", "/api/v1/correlations", json={"start": start, "end": end})
        progress(job)
        job = self._until(f"/api/v1/correlations/{job['id']}", timeout_s, progress, seen=job)
        if job["state"] == "failed":
            raise SystemUnreachable(f"the correlation failed: {job['error'] or 'no reason given'}")
        return job

    def jobs(self, state: str | None = None) -> list[Job]:
        """Back-fill jobs, newest first."""
        found: list[Job] = self._call("GET", "/api/v1/correlations", params={"state": state} if state else {})[
            "correlations"
        ]
        return found

    def quarantined(self, job_id: str) -> list[dict[str, Any]]:
        """Windows that a job gave up."""
        found: list[dict[str, Any]] = self._call("GET", f"/api/v1/correlations/{job_id}/quarantined")["windows"]
        return found

    def release(self, job_id: str) -> int:
        """Have the windows that a job gave up tried again; returns how many."""
        return int(self._call("POST", f"/api/v1/correlations/{job_id}/release")["released"])

    def rule_failures(self) -> list[dict[str, Any]]:
        """Rules that raised, newest first."""
        found: list[dict[str, Any]] = self._call("GET", "/api/v1/rule-failures")["failures"]
        return found

    def retention_plan(self, days: int) -> dict[str, Any]:
        """What goes within that many days, and what is pinned."""
        return self._call("GET", "/api/v1/retention/plan", params={"days": days})

    def retention_apply(self, timeout_s: float = 86_400.0) -> dict[str, Any]:
        """Remove what is due, and wait. Raises SystemUnreachable when it fails."""
        run = self._call("POST", "/api/v1/retention/runs")
        run = self._until(f"/api/v1/retention/runs/{run['id']}", timeout_s)
        if run["state"] == "failed":
            raise SystemUnreachable(f"nothing more was removed: {run['error']}")
        return run

    def forget(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Ask for a deletion, or count what it would delete."""
        return self._call("POST", "/api/v1/deletions", json=wanted)

    def deletion(self, deletion_id: str) -> dict[str, Any]:
        """A deletion with its counts."""
        return self._call("GET", f"/api/v1/deletions/{deletion_id}")

    def deleted(self, deletion_id: str, progress: Callable[[Job], None], timeout_s: float = 86_400.0) -> dict[str, Any]:
        """A deletion once it is done or failed; `progress` sees each change."""
        return self._until(f"/api/v1/deletions/{deletion_id}", timeout_s, progress)

    def _until(
        self,
        path: str,
        timeout_s: float,
        progress: Callable[[Job], None] = lambda _: None,
        seen: Job | None = None,
    ) -> Job:
        """What is at `path` once it is done or failed; `progress` is told of each change since `seen`.

        Raises SystemUnreachable when nothing of it has changed for `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._call("GET", path)
            if found != seen:
                progress(found)
                seen, deadline = found, time.monotonic() + timeout_s
            if found["state"] in ("done", "failed"):
                return found
            if time.monotonic() > deadline:
                raise SystemUnreachable(f"{path} is {found['state']} and stood still for {timeout_s:.0f} s; it goes on")
            time.sleep(_POLL_S)

    def make_key(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """A new access key: the only answer that has it."""
        return self._call("POST", "/api/v1/keys", json=wanted)

    def keys(self, tenant: str = "") -> list[dict[str, Any]]:
        """Access keys, oldest first."""
        found: list[dict[str, Any]] = self._call("GET", "/api/v1/keys", params={"tenant": tenant})["keys"]
        return found

    def revoke_key(self, key_id: str) -> dict[str, Any]:
        """The key, revoked."""
        return self._call("DELETE", f"/api/v1/keys/{key_id}")

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, f"{self._base}{path}", **request)
        except httpx.HTTPError as error:
            raise SystemUnreachable(
                f"no Causeline answers at {self._base} ({error}); "
                "start one with `causeline up` or name another with --api"
            ) from error
        try:
            body: dict[str, Any] = response.json()
        except ValueError as error:
            raise SystemUnreachable(
                f"{self._base} is not a Causeline API: it answered {response.status_code}"
            ) from error
        if response.status_code >= HTTPStatus.BAD_REQUEST:
            named = f"{body['parameter']}: " if "parameter" in body else ""
            raise SystemUnreachable(f"{named}{body.get('detail') or body.get('title') or response.status_code}")
        return body
