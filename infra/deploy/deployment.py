"""A deployment from first to last: the places for packages, the packages, the stacks, the web files."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from infra.deploy import bundle, image, site
from infra.deploy.errors import DeployError
from infra.deploy.forecast import changed_parameters, forecast
from infra.deploy.stack import Stacks, Template
from infra.deploy.store import Store
from infra.deploy.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from infra.deploy.account import Account
    from infra.deploy.events import Event
    from infra.deploy.stack import Change, Proposal, State

PARENT: Final = "rankcast.yaml"
ARTIFACTS: Final = "artifacts.yaml"
GLOBAL: Final = "global.yaml"
EDGE_REGION: Final = "us-east-1"
"""Where CloudFront takes its certificate and web ACL from."""


class Declined(DeployError):
    """Whoever was asked did not want the change."""

    code = "declined"


class Shell(Protocol):
    """Whoever watches: is told, is asked, and sees a change go on."""

    def tell(self, text: str) -> None:
        """Hear in a line what is being done."""
        ...

    def approves(self, proposal: Proposal) -> bool:
        """See what would change, and say whether it may."""
        ...

    def following(self, proposal: Proposal) -> AbstractContextManager[Callable[[Event], None]]:
        """Be shown a change while it is made."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be deployed. `parameters` are the parent template's; `image` is built out of the repository unless given by digest."""

    name: str = "rankcast"
    parameters: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    functions: Callable[[Path], bundle.Bundle] = bundle.build
    """Makes the functions' package in a folder."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a deployment would do, and what it would be made of."""

    bundle: bundle.Bundle
    site: site.Site
    image: str
    parameters: Mapping[str, tuple[str, str]]
    changes: Mapping[str, tuple[Change, ...]]
    """By stack."""


class Deployment:
    """Brings a wish about in an account. Every method raises DeployError with one line that says what to do."""

    def __init__(
        self,
        account: Account,
        wish: Wish,
        shell: Shell,
        *,
        templates: Templates | None = None,
        interval: float = 3.0,
    ) -> None:
        self._account = account
        self._wish = wish
        self._shell = shell
        self._interval = interval
        self._templates = templates or Templates.load()

    def run(self) -> State:
        """Deploy; the stack as it then stands. Raises Declined where a change was not wanted: those before it stay."""
        wish = self._wish
        self._introduce()
        there = self._change(f"{wish.name}-artifacts", ARTIFACTS, {"Name": wish.name}).outputs
        store = Store(self._account.client("s3"), there["ArtifactBucket"])
        with tempfile.TemporaryDirectory(prefix="rankcast-deploy-") as folder:
            self._shell.tell("packaging the functions")
            functions = wish.functions(Path(folder))
            sent = store.put_file(functions.key, functions.path)
        self._shell.tell(f"functions: {functions.key}, {functions.size:,} bytes{'' if sent else ', there already'}")
        parameters = {
            **wish.parameters,
            **self._edge(),
            "Name": wish.name,
            "Image": self._image(there["RepositoryName"], there["RepositoryUri"]),
            "Repository": there["RepositoryName"],
            "CodeBucket": store.bucket,
            "CodeKey": functions.key,
        }
        state = self._change(wish.name, PARENT, parameters, store)
        self._put_site(state.outputs["SiteBucket"])
        return state

    def foresee(self) -> Forecast:
        """Work out what `run` would do. Nothing is written anywhere but in a folder that is gone afterwards."""
        self._introduce()
        self._shell.tell("packaging the functions")
        with tempfile.TemporaryDirectory(prefix="rankcast-deploy-") as folder:
            functions = self._wish.functions(Path(folder))
        wish, files = self._wish, site.site()
        client = self._account.client("cloudformation")
        stacks = self._stacks(self._account.region)
        state = stacks.state(wish.name)
        chosen = self._foreseen_image(state)
        parameters = {**wish.parameters, "Name": wish.name, "Image": chosen, "CodeKey": functions.key}
        changes = {
            f"{wish.name}-artifacts": tuple(
                forecast(client, stacks.state(f"{wish.name}-artifacts"), self._templates, ARTIFACTS)
            ),
            wish.name: tuple(forecast(client, state, self._templates, PARENT)),
        }
        if self._account.region != EDGE_REGION:
            elsewhere, name = self._stacks(EDGE_REGION), f"{wish.name}-global"
            edge = self._account.client("cloudformation", EDGE_REGION)
            changes[name] = tuple(forecast(edge, elsewhere.state(name), self._templates, GLOBAL))
        return Forecast(functions, files, chosen, changed_parameters(state, parameters), changes)

    def _introduce(self) -> None:
        """Say where all of it goes; before anything takes time, whoever has no access learns of it."""
        self._shell.tell(f"account {self._account.number()}, region {self._account.region}")

    def _edge(self) -> dict[str, str]:
        """What a stack in another region is told of what CloudFront wants in its own."""
        if self._account.region == EDGE_REGION:
            return {}
        name = f"{self._wish.name}-global"
        chosen = dict(self._wish.parameters)
        if self._stacks(EDGE_REGION).state(name) is None:
            kept = self._stacks(self._account.region).state(self._wish.name)
            chosen = {**(kept.parameters if kept else {}), **chosen}
        declared = self._templates.parsed(GLOBAL)["Parameters"]
        given = {one: value for one, value in chosen.items() if one in declared}
        outputs = self._change(name, GLOBAL, {**given, "Name": self._wish.name}, region=EDGE_REGION).outputs
        return {"EdgeCertificate": outputs["CertificateArn"], "EdgeAcl": outputs["AclArn"]}

    def _change(
        self,
        name: str,
        file: str,
        parameters: Mapping[str, str],
        store: Store | None = None,
        region: str | None = None,
    ) -> State:
        """Propose, ask, make; a stack with nothing to change as it is. With a store the template goes by way of it."""
        stacks = self._stacks(region or self._account.region)
        self._shell.tell(f"working out what changes in {name}")
        body = self._templates.bodies[file]
        given = {"TemplateBody": body}
        if store is not None:
            given = {"TemplateURL": store.put_templates(self._templates.packed(file, store.url))}
        proposal = stacks.propose(name, Template(given, self._templates.parsed(file)["Parameters"]), parameters)
        if proposal is None:
            self._shell.tell(f"{name} is as it should be")
            return _known(stacks.state(name), name)
        if not self._shell.approves(proposal):
            stacks.discard(proposal)
            raise Declined(f"{name} was left as it is")
        with self._shell.following(proposal) as tell:
            return stacks.execute(proposal, tell)

    def _image(self, repository: str, uri: str) -> str:
        if self._wish.image is not None:
            return self._wish.image
        ecr = self._account.client("ecr")
        tag = image.tag()
        digest = image.pushed(ecr, repository, tag)
        if digest is not None:
            self._shell.tell(f"image: {tag} is there already")
            return f"{uri}@{digest}"
        self._shell.tell(f"building the image {tag} for {image.PLATFORM}")
        return image.build_and_push(ecr, uri, tag, self._shell.tell)

    def _foreseen_image(self, state: State | None) -> str:
        if self._wish.image is not None:
            return self._wish.image
        tag = image.tag()
        digest = image.pushed(self._account.client("ecr"), self._wish.name, tag)
        before = "" if state is None else state.parameters.get("Image", "")
        if digest is not None and before.endswith(digest):
            return before
        return f"{self._wish.name}:{tag}, {'to be built' if digest is None else f'as {digest}'}"

    def _put_site(self, bucket: str) -> None:
        files = site.site()
        self._shell.tell(f"web files: version {files.version}, {len(files.files)} files, {files.size:,} bytes")
        store = Store(self._account.client("s3"), bucket)
        store.put_site(files.files, files.version, lambda _: None)
        for old in store.mark(files.version):
            self._shell.tell(f"web files: version {old} is in use no more, and gone")

    def _stacks(self, region: str) -> Stacks:
        client: Any = self._account.client("cloudformation", region)
        return Stacks(client, interval=self._interval)


def _known(state: State | None, name: str) -> State:
    if state is None:
        raise DeployError(f"stack {name} is gone while it was looked at")
    return state
