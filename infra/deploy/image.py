"""The image of nodes: built by Docker out of the repository, pushed, and named by the digest that the registry gave it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from infra.deploy.account import asking, refusal
from infra.deploy.errors import AccountRefused, PackagingFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCE: Final = Path(__file__).parent.parent.parent
PLATFORM: Final = "linux/arm64"
"""The machines of the templates are Graviton's."""
_COPIED: Final = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)
_DIGEST: Final = re.compile(r".+@sha256:[0-9a-f]{64}")
_TIMEOUT: Final = 3600


def is_by_digest(image: str) -> bool:
    """Whether this names one image and no other, ever: `repository@sha256:…`."""
    return _DIGEST.fullmatch(image) is not None


def tag(source: Path = SOURCE) -> str:
    """A tag for what the image is made of: a hash over the Dockerfile and everything that it copies.

    Raises PackagingFailed where there is no Dockerfile: this is an installed package then, not the repository.
    """
    dockerfile = source / "Dockerfile"
    if not dockerfile.is_file():
        raise PackagingFailed(
            f"{source} has no Dockerfile: deploy from the repository, or give an image by its digest with --image"
        )
    whole = hashlib.sha256(dockerfile.read_bytes())
    for name in sorted(copied(dockerfile.read_text())):
        for file in _files(source / name):
            whole.update(f"{file.relative_to(source).as_posix()}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return whole.hexdigest()[:32]


def copied(dockerfile: str) -> set[str]:
    """What a Dockerfile copies out of its context."""
    return {name for match in _COPIED.findall(dockerfile) for name in match.split()}


def pushed(ecr: Any, repository: str, tag: str) -> str | None:
    """The digest under a tag of a repository, None when there is none. Raises AccountRefused."""
    try:
        with asking(f"images of {repository}"):
            found = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    except AccountRefused as error:
        if refusal(error)[0] in {"ImageNotFoundException", "RepositoryNotFoundException"}:
            return None
        raise
    return str(found[0]["imageDigest"]) if found else None


def build_and_push(ecr: Any, uri: str, tag: str, tell: Callable[[str], None], source: Path = SOURCE) -> str:
    """Build and push; the image by its digest. `tell` hears each line of the builder.

    Raises ToolMissing without Docker, PackagingFailed with the builder's last word, AccountRefused.
    """
    if shutil.which("docker") is None:
        raise ToolMissing("docker is not on this machine: install it, or give an image by its digest with --image")
    _log_in(ecr, uri)
    with tempfile.TemporaryDirectory(prefix="rankcast-image-") as folder:
        metadata = Path(folder, "metadata.json")
        _run(build_command(uri, tag, metadata, source), tell)
        digest = json.loads(metadata.read_text()).get("containerimage.digest", "")
    image = f"{uri}@{digest}"
    if not is_by_digest(image):
        raise PackagingFailed("the builder does not say what digest the image has: it needs buildx")
    return image


def build_command(uri: str, tag: str, metadata: Path, source: Path) -> list[str]:
    """What Docker is asked for. Attestations would make the tag an index, and its digest another than the image's."""
    return [
        *(
            "docker",
            "buildx",
            "build",
            "--platform",
            PLATFORM,
            "--provenance=false",
            "--sbom=false",
            "--progress=plain",
        ),
        *("--push", "--metadata-file", str(metadata), "--tag", f"{uri}:{tag}", str(source)),
    ]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(
        file
        for file in path.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and file.suffix not in {".pyc", ".so"}
    )


def _log_in(ecr: Any, uri: str) -> None:
    with asking("the registry's token"):
        (given,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
    done = subprocess.run(  # noqa: S603 - docker, and the registry's own address
        ["docker", "login", "--username", user, "--password-stdin", uri.partition("/")[0]],  # noqa: S607 - wherever it is installed
        input=password,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise PackagingFailed(f"docker cannot log in at the registry: {done.stderr.strip().splitlines()[-1:]}")


def _run(command: Sequence[str], tell: Callable[[str], None]) -> None:
    last = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as builder:  # noqa: S603 - as above
        assert builder.stdout is not None  # noqa: S101 - asked for above
        for line in builder.stdout:
            last = line.strip() or last
            tell(last)
        try:
            code = builder.wait(_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            builder.kill()
            raise PackagingFailed(f"the image was not built within {_TIMEOUT} s") from error
    if code:
        raise PackagingFailed(f"the image could not be built: {last}")
