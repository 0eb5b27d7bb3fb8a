"""The web files as a bucket holds them: pages under their addresses, all else under names with a hash.

`/web/<version>/…` never changes and is kept for ever by whoever fetched it; the version is a hash over all files, so that a page and
the modules that it imports, and those import in turn, are always of one make. `/web/…` without it, for pages of other sites that name it,
and the pages themselves are asked for anew each time.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.deploy.errors import PackagingFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

WEB: Final = Path(__file__).parent.parent.parent / "web"
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASKED_ANEW: Final = "no-cache"

_LEFT_OUT: Final = frozenset({".py", ".pyc", ".md"})
_KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class SiteFile:
    """One object: `key` is its address without the leading slash, `/` itself is `index.html`."""

    key: str
    body: bytes
    content_type: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class Site:
    """All of them, in the order in which they are put there: what a page names is there before the page is."""

    version: str
    files: tuple[SiteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(len(file.body) for file in self.files)


def site(folder: Path = WEB) -> Site:
    """Lay the files of a folder out. Raises PackagingFailed when there is no page in it."""
    contents = {file.relative_to(folder).as_posix(): file.read_bytes() for file in _files(folder)}
    if "index.html" not in contents:
        raise PackagingFailed(f"{folder} has no index.html")
    version = _version(contents)
    named, plain, pages = [], [], []
    for name, body in contents.items():
        kind = _kind(name)
        if name.endswith(".html"):
            pages.append(SiteFile(page_key(name), _naming(body, version), kind, ASKED_ANEW))
        named.append(SiteFile(f"web/{version}/{name}", body, kind, FOR_EVER))
        plain.append(SiteFile(f"web/{name}", body, kind, ASKED_ANEW))
    return Site(version, (*named, *plain, *pages))


def page_key(name: str) -> str:
    """The address of a page by its file: `docs.html` and `docs/index.html` are both `/docs`."""
    stem = name.removesuffix(".html")
    return "index.html" if stem == "index" else stem.removesuffix("/index")


def stamp(folder: Path = WEB) -> tuple[tuple[str, int, int], ...]:
    """What tells without reading them whether a file has changed: the name, time and size of each."""
    return tuple((str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__")) or part == "node_modules" for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and file.suffix not in _LEFT_OUT:
            yield file


def _version(contents: dict[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, body in contents.items():
        whole.update(f"{name}\0{len(body)}\0".encode() + body)
    return whole.hexdigest()[:16]


def _naming(page: bytes, version: str) -> bytes:
    return page.replace(b'"/web/', f'"/web/{version}/'.encode())


def _kind(name: str) -> str:
    suffix = Path(name).suffix
    return _KINDS.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
