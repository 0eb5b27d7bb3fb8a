"""`python -m tests.benchmarks [--quick] [NAME …]`: every figure as a ratio against something that is not ours, in the same run.

`--quick` shows in a few minutes that all of it works; its figures say little.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import resource
import sys

from rich.console import Console
from rich.table import Table

NAMES = (
    "submissions",
    "reads",
    "refresh",
    "imports",
    "latency",
    "fanout",
    "memory",
    "rest_p99",
    "bytes",
    "tracker",
    "own_ranks",
    "resume",
    "delivery",
    "widget",
)


def main() -> None:
    chosen = [word for word in sys.argv[1:] if word != "--quick"] or list(NAMES)
    if "--quick" in sys.argv:
        # The children read it, too.
        os.environ["RANKCAST_BENCH"] = "quick"
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    table = Table("what", "ours", "theirs", "ratio", "target")
    for name in chosen:
        print(f"{name} …", flush=True)
        module = importlib.import_module(f"tests.benchmarks.{name}")
        for figure in asyncio.run(module.run()):
            ratio = f"{figure.ratio:.3g}" if figure.ratio else "—"
            table.add_row(figure.what, figure.ours, figure.theirs, ratio, figure.target)
            print(f"  {figure.what}: {figure.ours} : {figure.theirs} = {ratio} (target {figure.target})", flush=True)
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
