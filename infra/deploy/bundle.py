"""The functions' package: one zip with our code and its dependencies, from which every Lambda function is made.

The dependencies come as wheels in the very versions of the environment that runs this, for another machine if need be: what was
tested here is what runs there. The same input makes the same bytes, so an unchanged package changes no stack.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.deploy.errors import BundleTooLarge, PackagingFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOURCE: Final = Path(__file__).parent.parent.parent
"""The folder that has our packages: the repository, or where they were installed."""
PACKAGES: Final = ("realtime", "infra", "workers")
EXTRA: Final = "aws"
"""What is depended on only there."""
LEFT_OUT: Final = frozenset(
    {"realtime/gateway", "infra/aws", "infra/cli", "infra/decisions", "infra/deploy", "infra/local"}
)
"""What no function runs."""
SERVERS_ONLY: Final = frozenset(
    {"click", "httptools", "psutil", "python-multipart", "pyyaml", "rich", "starlette", "uvicorn", "websockets"}
)
"""Dependencies that only nodes and the command line use."""
SERVICES: Final = frozenset({"cloudwatch", "logs", "s3", "secretsmanager", "sqs", "sts", "xray"})
"""The AWS services that functions call: boto3 carries the descriptions of 400 others, which would be five sixths of the package."""
MOST_UNPACKED: Final = 250 * 2**20
"""Bytes of a function's code that Lambda takes, unpacked."""

_TIMEOUT: Final = 900
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
# Who installed what, and when: not the same twice, and of no use to a function.
_TRACES: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})


@dataclass(frozen=True, slots=True)
class Target:
    """The machine that runs the functions. `platforms` are wheel tags, none for this very machine."""

    python: str
    platforms: tuple[str, ...]


# Amazon Linux 2023 has glibc 2.34; an older pip does not know that this includes the tags of all before it.
LAMBDA: Final = Target("3.13", ("manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in range(17, 35))))
HERE: Final = Target(f"{sys.version_info.major}.{sys.version_info.minor}", ())


@dataclass(frozen=True, slots=True)
class Bundle:
    """A package that was made. Sizes are bytes; `key` is its name in a bucket: another content has another."""

    path: Path
    sha256: str
    size: int
    unpacked: int

    @property
    def key(self) -> str:
        """`functions/<digest>.zip`."""
        return f"functions/{self.sha256[:32]}.zip"


def build(folder: Path, target: Target = LAMBDA, source: Path = SOURCE) -> Bundle:
    """Make the package in `folder`. Raises PackagingFailed where a dependency cannot be had, BundleTooLarge."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="bundle-") as work:
        root = Path(work, "root")
        _install(root, target)
        for file in source_files(source):
            copy = root / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        files = sorted(_kept(root))
        unpacked = sum(file.stat().st_size for file in files)
        if unpacked > MOST_UNPACKED:
            raise BundleTooLarge(
                f"the functions' package has {unpacked:,} bytes unpacked, Lambda takes {MOST_UNPACKED:,}"
            )
        path = folder / "functions.zip"
        _pack(path, root, files)
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Bundle(path, digest, path.stat().st_size, unpacked)


def source_files(source: Path = SOURCE) -> Iterator[Path]:
    """Our own files that functions run, and what those read."""
    for package in PACKAGES:
        for file in sorted((source / package).rglob("*")):
            name = file.relative_to(source).as_posix()
            if file.is_file() and file.suffix in {".py", ".sql", ".lua", ".json"} and not _left_out(name):
                yield file


def requirements() -> list[str]:
    """What functions depend on, each in the version that is installed here: `name==version`. Raises PackagingFailed."""
    names = {match.group().lower(): one for one in _declared() if (match := _NAME.match(one))}
    return [f"{_bare(one)}=={_version(name)}" for name, one in sorted(names.items()) if name not in SERVERS_ONLY]


def constraints() -> list[str]:
    """Every version that is installed here, so that the dependencies' own dependencies are the same too."""
    return sorted({f"{one.name}=={one.version}" for one in metadata.distributions() if one.name != "rankcast"})


def _declared() -> list[str]:
    """Our dependencies: in the repository those of today, whatever was installed when; else those of the installed package."""
    project = SOURCE / "pyproject.toml"
    if project.is_file():
        told = tomllib.loads(project.read_text())["project"]
        return [*told["dependencies"], *told["optional-dependencies"][EXTRA]]
    required = metadata.requires("rankcast") or []
    return [one for one in required if "extra ==" not in one or re.search(rf"extra == [\"']{EXTRA}[\"']", one)]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise PackagingFailed(
            f"{name} is not installed here, so its version is not known: pip install 'rankcast[{EXTRA}]'"
        ) from error


def _bare(requirement: str) -> str:
    """The requirement without its version: `python-jose[cryptography]`."""
    return re.split(r"[<>=!~; ]", requirement, maxsplit=1)[0]


def _install(root: Path, target: Target) -> None:
    versions = root.with_name("constraints.txt")
    versions.write_text("\n".join(constraints()) + "\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--only-binary=:all:", "--target", str(root), "--constraint", str(versions)]
    if target.platforms:
        command += ["--implementation", "cp", "--python-version", target.python]
        command += [part for platform in target.platforms for part in ("--platform", platform)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, and names out of our own metadata
            [*command, *requirements()], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PackagingFailed(f"pip did not bring the functions' dependencies within {_TIMEOUT} s") from error
    if done.returncode:
        raise PackagingFailed(f"pip could not bring the functions' dependencies: {_last_word(done.stderr)}")


def _last_word(text: str) -> str:
    errors = [line for line in text.splitlines() if line.startswith("ERROR")]
    return (errors or text.strip().splitlines() or ["it does not say why"])[-1]


def _left_out(name: str) -> bool:
    return (
        "__pycache__" in name
        or name == "workers/__main__.py"
        or any(name.startswith(f"{folder}/") for folder in LEFT_OUT)
    )


def _kept(root: Path) -> Iterator[Path]:
    for file in root.rglob("*"):
        parts = file.relative_to(root).parts
        if not file.is_file() or parts[0] == "bin" or "__pycache__" in parts:
            continue
        if parts[0].endswith(".dist-info") and file.name in _TRACES:
            continue
        if parts[:2] in {("botocore", "data"), ("boto3", "data")} and len(parts) > 3 and parts[2] not in SERVICES:  # noqa: PLR2004 - a service's own folder
            continue
        yield file


def _pack(path: Path, root: Path, files: Iterable[Path]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.relative_to(root).as_posix(), _EPOCH)
            entry.external_attr = (0o755 if file.suffix == ".so" else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
