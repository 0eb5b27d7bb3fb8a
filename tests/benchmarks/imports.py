"""`rankcast import` of a file: rows a second end to end, and whether memory follows the file's size."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from tests.benchmarks.rig import Figure, rig

if TYPE_CHECKING:
    from tests.benchmarks.rig import Rig

SHORT, LONG = 100_000, 1_000_000
COPY_ROWS = 1_000_000


async def run() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="rankcast-import-") as folder:
        short, long = Path(folder, "short.csv"), Path(folder, "long.csv")
        write(short, SHORT)
        write(long, LONG)
        async with rig() as stack, stack.worker(), stack.node() as url:
            await stack.board(url, "short", columns=[{"name": "score"}])
            await stack.board(url, "long", columns=[{"name": "score"}])
            _, low = await imported(stack, url, short, "short")
            seconds, high = await imported(stack, url, long, "long")
            copied = await copy(stack, long)
    return [
        Figure(
            f"rankcast import of {LONG:,} rows, rows/s : COPY of the same file into a bare table",
            f"{LONG / seconds:,.0f}/s",
            f"{LONG / copied:,.0f}/s",
            copied / seconds,
            "—",
        ),
        Figure(
            f"peak memory of the import: {LONG:,} rows : {SHORT:,} rows",
            f"{high / 1024:.0f} MB",
            f"{low / 1024:.0f} MB",
            high / low,
            "flat (≤ 1.1)",
        ),
    ]


def write(path: Path, rows: int) -> None:
    chance = random.Random(rows)
    with path.open("w") as file:
        file.write("player,score\n")
        for number in range(rows):
            file.write(f"p{number},{chance.randrange(10**9)}\n")


async def imported(stack: Rig, url: str, path: Path, board: str) -> tuple[float, int]:
    """Seconds and peak memory (KB)."""
    command = ["-m", "infra.cli.main", "import", str(path), "--board", board, "--url", url]
    environ = os.environ | {"RANKCAST_TOKEN": stack.issuer.token("server")}
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import sys; sys.argv = {['rankcast', *command[2:]]!r}; {_MEASURED}",
        env=environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(said.decode())
    return time.perf_counter() - started, int(said.decode().rsplit("peak=", 1)[1])


_MEASURED = """
from pathlib import Path
from infra.cli.main import main
try:
    main()
finally:
    # Not ru_maxrss: a child inherits its parent's.
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(f"peak={peak}", file=sys.stderr)
"""


async def copy(stack: Rig, path: Path) -> float:
    connection = await asyncpg.connect(stack.settings.database_url, timeout=30)
    await connection.execute("CREATE TABLE bare (player text PRIMARY KEY, score bigint)")
    started = time.perf_counter()
    await connection.copy_to_table("bare", source=str(path), format="csv", header=True, timeout=600)
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds
