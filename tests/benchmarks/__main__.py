"""`python -m tests.benchmarks [NAME …]`: every figure as a ratio against something that is not ours, in the same run."""

from __future__ import annotations

import asyncio
import importlib
import sys

from rich.console import Console
from rich.table import Table

NAMES = ("submissions", "reads", "refresh", "imports", "latency")


def main() -> None:
    chosen = sys.argv[1:] or list(NAMES)
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
