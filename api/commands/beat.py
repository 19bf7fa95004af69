"""`causeline beat`: the clock of a system of several processes."""

from __future__ import annotations

from api.commands.options import BrokerUrl, HealthPort, Host, StoreUrl
from api.process.running import run, settings_of
from api.process.system import Part


def beat(store: StoreUrl = None, broker: BrokerUrl = None, host: Host = None, health_port: HealthPort = None) -> None:
    """Start the clock that asks for live passes and sweeps; one is enough, and two do no harm.

    Prints one line that begins with `ready` once it ticks. `causeline health` says how it is. Further settings are read
    from CAUSELINE_* variables.
    """
    given = {"host": host, "health_port": health_port, "broker_url": broker}
    run(settings_of(given, store), Part.BEAT)
