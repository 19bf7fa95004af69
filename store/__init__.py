"""ClickHouse access for Causeline: schema, migrations, named queries and scans.

The only package that imports clickhouse_connect. It knows nothing about HTTP, OTLP or Celery.
"""

from store.client import ONE_THREAD, Store
from store.scan import Attr, Window, scan
from store.settings import StoreSettings

__all__ = ["ONE_THREAD", "Attr", "Store", "StoreSettings", "Window", "scan"]
