"""`causeline up`: everything in one process."""

from __future__ import annotations

from api.commands.options import ApiPort, DataOption, GrpcPort, Host, HttpPort, RequireKeys
from api.process.running import run, settings_of


def up(
    data: DataOption = None,
    host: Host = None,
    otlp_grpc_port: GrpcPort = None,
    otlp_http_port: HttpPort = None,
    api_port: ApiPort = None,
    require_keys: RequireKeys = None,
) -> None:
    """Start the receiver, the API and the correlation worker in one process.

    Prints one line that begins with `ready` and names the URLs once everything listens. SIGTERM or
    Ctrl-C stops it cleanly. Further settings are read from CAUSELINE_* variables.
    """
    given = {
        "data": data and data.absolute(),
        "host": host,
        "otlp_grpc_port": otlp_grpc_port,
        "otlp_http_port": otlp_http_port,
        "api_port": api_port,
        "require_keys": require_keys,
    }
    run(settings_of(given))
