"""`causeline health`: whether a process on this machine is ready, for health checks of containers."""

from __future__ import annotations

from typing import Annotated

import httpx
import typer

from api.errors import SystemUnreachable

_PATIENCE_S = 5.0


def health(
    url: Annotated[
        str,
        typer.Option(
            "--url",
            envvar="CAUSELINE_HEALTH_URL",
            help="Where the process answers: port 8080 is `serve` or `up`, 8081 `worker` or `beat`.",
        ),
    ] = "http://127.0.0.1:8080",
    alive: Annotated[
        bool,
        typer.Option("--alive", envvar="CAUSELINE_HEALTH_ALIVE", help="Ask only whether it lives, not if it is ready."),
    ] = False,
) -> None:
    """Print how a process is and why; exit code 0 when it is ready (or, with `--alive`, alive), 1 when not."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/{'healthz' if alive else 'readyz'}", timeout=_PATIENCE_S)
        told = answer.json()
        status, reasons = str(told["status"]), told.get("reasons", [])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SystemUnreachable(f"nothing that tells its health answers at {url}: {type(error).__name__}") from error
    typer.echo("\n".join([status, *(f"{reason['code']}: {reason['message']}" for reason in reasons)]))
    if answer.status_code != httpx.codes.OK:
        raise typer.Exit(1)
