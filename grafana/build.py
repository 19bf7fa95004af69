"""Write the dashboards of grafana/dashboards from grafana/boards.py: `python -m grafana.build`.

`--check` changes nothing and exits with 1 when a file is out of date. Boards that need a plugin are written to
grafana/dashboards-infinity, which is not provisioned unless asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana.boards import BOARDS, OPTIONAL
from grafana.panels import Board

HERE = Path(__file__).parent


def files() -> dict[Path, str]:
    """Every file with what it should hold."""
    folders: dict[str, tuple[Board, ...]] = {"dashboards": BOARDS, "dashboards-infinity": OPTIONAL}
    return {
        HERE / folder / f"{board.uid}.json": json.dumps(board.model(), indent=2, ensure_ascii=False) + "\n"
        for folder, boards in folders.items()
        for board in boards
    }


def main() -> int:
    """Write every dashboard, or with --check only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a file is out of date")
    check = parser.parse_args().check
    stale = [path for path, text in files().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale if not check else ():
        path.parent.mkdir(exist_ok=True)
        path.write_text(files()[path], encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"out of date: {', '.join(path.name for path in stale)}; run `python -m grafana.build`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
