"""Run the benchmarks side by side with their peers and write ``benchmarks/results.json``.

    python benchmarks/run.py            # all
    python benchmarks/run.py engine     # one

Each module in this folder has ``run() -> list[dict]``: one row per comparison with the keys below.
``ratio`` is ours over the peer's (for seconds, the peer's over ours), above 1 means we are faster;
it is the median over interleaved rounds, ``low`` and ``high`` are the smallest and largest of a
round. ``products_only``, where a module knows it, is the ratio if all but products were free.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
KEYS = ["name", "ours", "peer", "peer_name", "unit", "ratio", "low", "high", "machine"]


def main(names: list[str]) -> int:
    known = sorted(p.stem for p in HERE.glob("*.py") if p.stem not in ("run", "rounds"))
    for name in names:
        if name not in known:
            print(f"there is no benchmark '{name}'; known: {', '.join(known)}", file=sys.stderr)
            return 2
    sys.path.insert(0, str(HERE))
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for name in names or known:
        print(f"benchmark {name} ...", file=sys.stderr)
        new = importlib.import_module(name).run()
        fresh = {row["name"] for row in new}
        rows = [r for r in rows if r["name"] not in fresh] + new
        for row in new:
            assert set(row) >= set(KEYS), row
            limit = f", products alone {row['products_only']:.2f}" if "products_only" in row else ""
            print(
                f"{row['name']:<28} {row['ours']:>10.3f} {row['unit']:<14} "
                f"{row['ratio']:.2f} x {row['peer_name']} [{row['low']:.2f}, {row['high']:.2f}]"
                f"{limit}"
            )
    rows.sort(key=lambda r: r["name"])
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"written to {RESULTS.relative_to(HERE.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
