"""`causeline worker`: correlations of a system of several processes."""

from __future__ import annotations

from api.commands.options import BrokerUrl, HealthPort, Host, StoreUrl
from api.process.running import run, settings_of
from api.process.system import Part


def worker(store: StoreUrl = None, broker: BrokerUrl = None, host: Host = None, health_port: HealthPort = None) -> None:
    """Start a correlation worker over a ClickHouse server and a Redis broker; as many of them as you like.

    Prints one line that begins with `ready` once it works. On SIGTERM or Ctrl-C it ends what it is doing and takes no
    more. `causeline health` says how it is. Further settings are read from CAUSELINE_* variables.
    """
    given = {"host": host, "health_port": health_port, "broker_url": broker}
    run(settings_of(given, store), Part.WORK)
