"""What every client sends: `telemetry.json`, which the SDKs of both languages read.

Times and ids are text; `{"base64": ...}` stands for bytes; `any_attributes` are for SDKs whose spans may have them.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "telemetry.json"


def _revived(pairs: dict[str, Any]) -> Any:
    return base64.b64decode(pairs["base64"]) if pairs.keys() == {"base64"} else pairs


SAID: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"), object_hook=_revived)
