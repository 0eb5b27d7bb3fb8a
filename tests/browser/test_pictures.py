"""A player's picture in a real browser: sent by the page of a game, on a site of its own, and shown by a page that was open before."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.serving import create, service, submit

if TYPE_CHECKING:
    from tests.browser.conftest import Opens
    from tests.harness import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What a game does: it draws something, asks for a ticket with its player's token, and sends the drawing to where the ticket says.
SEND = """async ({ service, token }) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 300, height: 200 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "rgb(220 30 30)";
  pen.fillRect(0, 0, 300, 200);
  const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await picture.arrayBuffer()));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const asked = await fetch(`${service}/v1/players/ann/image`, {
    method: "POST",
    headers: { Authorization: token, "Content-Type": "application/json" },
    body: JSON.stringify({ content_type: "image/png", sha256 }),
  });
  const ticket = await asked.json();
  const form = new FormData();
  for (const [name, value] of Object.entries(ticket.fields)) form.append(name, value);
  form.append("file", picture);
  const sent = await fetch(ticket.url, { method: "POST", body: form });
  return { status: sent.status, picture: ticket.picture };
}"""
# Of another site, and in a way that says: only what says of itself that any page may read it.
READ = """async (address) => {
  const picture = Object.assign(new Image(), { crossOrigin: "anonymous", src: address });
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  canvas.getContext("2d").drawImage(picture, 0, 0, 1, 1);
  return [...canvas.getContext("2d").getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""
FACE = ".body .row[data-player=ann] .avatar img"


async def test_a_picture_sent_by_a_games_page_appears_on_a_page_that_is_open(
    stack: Stack, open_page: Opens, tmp_path: Path
) -> None:
    settings = dataclasses.replace(stack.settings, pictures_folder=str(tmp_path / "pictures"), poll=0.05)
    shown = dataclasses.replace(stack, settings=settings)
    token = stack.headers("player", "ann")["Authorization"]
    async with service(shown) as node:
        await create(node, "arcade", {"columns": [{"name": "score"}]})
        await submit(node, "arcade", {"player": "ann", "score": 9}, {"player": "bob", "score": 5})
        game = node.url.replace("127.0.0.1", "localhost") + "/healthz"
        # That page has no icon.
        async with open_page(node.url) as board, open_page(game, allowed=lambda said: "404" in said) as site:
            await board.until_players("ann", "bob")
            assert await board.page.locator(FACE).count() == 0
            sent = await site.page.evaluate(SEND, {"service": node.url, "token": token})
            assert sent["status"] == 204
            await board.page.locator(FACE).wait_for()
            face = board.page.locator(FACE)
            assert await face.evaluate("(face) => face.src") == node.url + sent["picture"]
            assert await face.evaluate("(face) => [face.naturalWidth, face.naturalHeight]") == [64, 64]
            assert await board.page.locator(".body .row[data-player=bob] .avatar img").count() == 0
            red, green, blue = await site.page.evaluate(READ, node.url + sent["picture"])
            assert (red > 190, green < 60, blue < 60) == (True, True, True)
