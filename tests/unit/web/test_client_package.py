"""The client as others get it: its types, its size, the package that `npm pack` makes of it."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

import pytest

from tests.web_tools import WEB, node, run

CLIENT = WEB / "client"
HERE = Path(__file__).parent
STRICT = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2023,dom,dom.iterable"]
CHECKED = [*STRICT, "--allowJs", "--checkJs", "--module", "nodenext"]
LIMIT = 6_000
"""Bytes of the issue: the client as a page's bundler ships it, gzipped."""
SERVED_LIMIT = 8_400
"""Bytes of the modules as a node serves them, comments and all."""

# Each line that must not compile says so, and fails the test when it does.
USED = """
import { connect, LiveError, type Board, type Standing, type Topic } from "rankcast";

const live = connect(new URL("https://scores.example"), { token: async () => null });
const top: Topic<Board> = live.top("arcade", { limit: 25 });
const off: () => void = top.on("state", (board, cause, before) => {
  const names: (string | null | undefined)[] = board.entries.map(({ name }) => name);
  const was: number | undefined = before?.version;
  console.log(names, was, cause.length, top.state?.total, top.reason ?? "");
});
off();
for await (const standing of live.player("arcade")) {
  const seen: Standing = standing;
  const rank: number | null = seen.rank;
  console.log(rank, live.quality.latency);
}
try {
  for await (const board of live.around("arcade", "ada", { radius: 2 })) console.log(board.position);
} catch (error) {
  if (error instanceof LiveError) {
    const name: "WatchRefused" = error.name;
    console.log(name, error.code, error.message);
  }
}
// @ts-expect-error a state is never changed in place
top.state!.entries[0]!.rank = 1;
// @ts-expect-error no such event
top.on("confetti", () => {});
// @ts-expect-error no such view
live.bottom("arcade");
// @ts-expect-error what is inside stays there
live.emit("status");
"""

RUN = """
import { connect } from "rankcast";
const live = connect("http://127.0.0.1:1", { WebSocket: null });
const top = live.top("arcade");
live.close();
console.log(top.status, live.status);
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed what `npm pack` made."""
    home = tmp_path_factory.mktemp("package")
    (packed,) = json.loads(run("npm", "pack", "--json", "--pack-destination", str(home), cwd=CLIENT))
    with tarfile.open(home / packed["filename"]) as archive:
        archive.extractall(home, filter="data")
    (home / "node_modules").mkdir()
    (home / "package").rename(home / "node_modules" / "rankcast")
    (home / "package.json").write_text('{"type": "module"}')
    return home


def test_the_modules_are_as_their_types_say() -> None:
    run("tsc", *CHECKED, *sorted(CLIENT.glob("*.js")), cwd=HERE)


def test_the_types_of_the_modules_can_fail(tmp_path: Path) -> None:
    for module in CLIENT.iterdir():
        (tmp_path / module.name).write_bytes(module.read_bytes())
    (tmp_path / "live.js").write_text((tmp_path / "live.js").read_text().replace('"token_failed"', "7"))
    with pytest.raises(AssertionError, match="not assignable"):
        run("tsc", *CHECKED, *sorted(tmp_path.glob("*.js")), cwd=tmp_path)


def test_the_package_has_the_modules_and_their_types_and_nothing_else(package: Path) -> None:
    names = {path.name for path in (package / "node_modules" / "rankcast").iterdir()}
    modules = {path.name for path in CLIENT.glob("*.js")} | {path.name for path in CLIENT.glob("*.d.ts")}
    assert names == modules | {"package.json", "README.md", "LICENSE"}
    assert (package / "node_modules" / "rankcast" / "LICENSE").read_text() == (WEB.parent / "LICENSE").read_text()


def test_the_package_depends_on_nothing_and_is_of_the_services_version() -> None:
    document = json.loads((CLIENT / "package.json").read_text())
    assert not {"dependencies", "peerDependencies", "optionalDependencies", "devDependencies"} & set(document)
    project = tomllib.loads((WEB.parent / "pyproject.toml").read_text())
    assert document["version"] == project["project"]["version"]


@pytest.mark.parametrize("resolution", ["bundler", "nodenext"])
def test_typescript_that_uses_the_package_is_told_of_its_mistakes(package: Path, resolution: str) -> None:
    (package / "used.ts").write_text(USED)
    module = "nodenext" if resolution == "nodenext" else "esnext"
    run("tsc", *STRICT, "--module", module, "--moduleResolution", resolution, "used.ts", cwd=package)


def test_the_readme_names_the_file_that_is_packed() -> None:
    version = json.loads((CLIENT / "package.json").read_text())["version"]
    readme = (CLIENT / "README.md").read_text()
    assert re.findall(r"rankcast-[0-9][0-9.]*[0-9]\.tgz", readme) == [f"rankcast-{version}.tgz"] * 2


def test_node_loads_the_package(package: Path) -> None:
    (package / "run.js").write_text(RUN)
    assert _answer(package / "run.js") == "closed closed"


def test_a_bundler_makes_one_small_file_of_it(package: Path) -> None:
    (package / "run.js").write_text(RUN)
    run("esbuild", "run.js", "--bundle", "--minify", "--format=esm", "--outfile=out.mjs", cwd=package)
    assert _answer(package / "out.mjs") == "closed closed"
    run("esbuild", "rankcast", "--bundle", "--minify", "--format=esm", "--outfile=all.js", cwd=package)
    assert len(gzip.compress((package / "all.js").read_bytes())) < LIMIT


def test_what_is_served_is_small_too() -> None:
    served = b"".join(module.read_bytes() for module in sorted(CLIENT.glob("*.js")))
    assert len(gzip.compress(served)) < SERVED_LIMIT


def _answer(script: Path) -> str:
    ran = subprocess.run([node(), script], capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()
