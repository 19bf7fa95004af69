"""`causeline serve`: receivers and API of a system of several processes."""

from __future__ import annotations

from api.commands.options import ApiPort, BrokerUrl, GrpcPort, Host, HttpPort, RequireKeys, StoreUrl
from api.process.running import run, settings_of
from api.process.system import Part


def serve(
    store: StoreUrl = None,
    broker: BrokerUrl = None,
    host: Host = None,
    otlp_grpc_port: GrpcPort = None,
    otlp_http_port: HttpPort = None,
    api_port: ApiPort = None,
    require_keys: RequireKeys = None,
) -> None:
    """Start the OTLP receivers and the API over a ClickHouse server; as many of them as you like.

    Prints one line that begins with `ready` once everything listens. On SIGTERM or Ctrl-C /readyz says no, what was
    taken is stored, and more is refused with 503. Further settings are read from CAUSELINE_* variables.
    """
    given = {
        "host": host,
        "otlp_grpc_port": otlp_grpc_port,
        "otlp_http_port": otlp_http_port,
        "api_port": api_port,
        "require_keys": require_keys,
        "broker_url": broker,
    }
    run(settings_of(given, store), Part.SERVE)
