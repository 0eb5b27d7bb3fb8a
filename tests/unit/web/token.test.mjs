// How a token is presented, and renewed.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ANSWER_MS } from "../../../web/client/events.js";
import { Node, settled, snapshot, subscribed, welcome } from "./node.mjs";

/** @type {Node} */
let node;

beforeEach(() => {
  node = new Node();
});

afterEach(() => {
  node.end();
});

const expiring = { type: "error", code: "token_expiring", message: "the token expires in 30 s" };
const authenticated = { type: "authenticated", expires_at: 1_893_456_000 };

test("a token is presented before anything is asked for, by a message and not in the address", async () => {
  const socket = await node.connect({ token: "abc" });
  node.watch();
  await socket.hear(welcome);
  assert.deepEqual(socket.said.filter(({ op }) => op !== "ping").map(({ op, token }) => [op, token]), [["auth", "abc"], ["subscribe", undefined]]);
  assert.ok(!socket.url.includes("abc"));
});

test("what is watched while a function looks for the token waits for it", async () => {
  let give;
  const socket = await node.connect({ token: () => new Promise((resolve) => (give = resolve)) });
  await socket.hear(welcome);
  node.watch();
  await settled();
  assert.deepEqual(socket.asked("subscribe"), []);
  give("abc");
  await settled();
  assert.deepEqual(socket.said.filter(({ op }) => op !== "ping").map(({ op }) => op), ["auth", "subscribe"]);
});

test("a function may come without", async () => {
  const socket = await node.connect({ token: () => null });
  node.watch();
  await socket.hear(welcome);
  assert.deepEqual([socket.asked("auth").length, socket.asked("subscribe").length], [0, 1]);
});

test("a function is asked again on each connection, and when the token ends", async () => {
  let given = 0;
  await node.connect({ token: async () => `t${++given}` });
  node.watch();
  await node.socket.hear(welcome, authenticated, expiring);
  assert.deepEqual(node.socket.asked("auth").map(({ token }) => token), ["t1", "t2"]);
  assert.equal(node.socket.asked("subscribe").length, 1);
  await node.socket.lose(4004, "the token has expired");
  await node.pass(500);
  await node.socket.hear(welcome);
  assert.deepEqual(node.socket.asked("auth").map(({ token }) => token), ["t3"]);
});

test("a token that is text is not presented again", async () => {
  await node.connect({ token: "abc" });
  await node.socket.hear(welcome, authenticated, expiring);
  assert.equal(node.socket.asked("auth").length, 1);
});

for (const [what, token] of [
  ["fails", () => Promise.reject(new Error("the issuer is away"))],
  ["throws", () => {
    throw new Error("the issuer is away");
  }],
]) {
  test(`a function that ${what} is asked again after a wait`, async () => {
    let asked = 0;
    await node.connect({ token: () => (++asked === 1 ? token() : "abc") });
    await node.socket.hear(welcome);
    assert.equal(node.statuses.at(-1), "offline token_failed");
    assert.ok(node.sockets[0].closed);
    await node.pass(500);
    await node.socket.hear(welcome);
    assert.equal(node.socket.asked("auth").length, 1);
  });
}

test("a function that never answers does not keep the connection for ever, nor is heard too late", async () => {
  let give;
  await node.connect({ chance: 0, token: () => new Promise((resolve) => (give ??= resolve)) });
  await node.socket.hear(welcome);
  await node.pass(ANSWER_MS);
  assert.equal(node.statuses.at(-1), "offline token_failed");
  await node.pass(0);
  node.watch();
  await node.socket.hear(welcome);
  give("late");
  await settled();
  assert.deepEqual([node.socket.asked("auth"), node.socket.asked("subscribe")], [[], []]);
});

test("a function that fails too late does not end the connection after", async () => {
  let refuse;
  await node.connect({ token: () => new Promise((_, reject) => (refuse ??= reject)) });
  await node.socket.hear(welcome);
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome);
  refuse(new Error("late"));
  await settled();
  assert.equal(node.live.status, "live");
});

test("a function that fails while the last token holds is asked again on the next connection", async () => {
  let asked = 0;
  await node.connect({ token: () => (++asked === 2 ? Promise.reject(new Error("away")) : `t${asked}`) });
  await node.socket.hear(welcome, authenticated, expiring);
  assert.equal(node.live.status, "live");
  await node.socket.lose(4004);
  await node.pass(500);
  await node.socket.hear(welcome);
  assert.deepEqual(node.socket.asked("auth").map(({ token }) => token), ["t3"]);
});

test("by events a token is asked for with the connection alone: a request keeps the one that it came with", async () => {
  let asked = 0;
  await node.connect({ WebSocket: null, token: () => `t${++asked}` });
  const seen = node.watch();
  await settled();
  await node.request.hear(welcome, subscribed(), snapshot(5), expiring);
  assert.deepEqual([asked, seen.topic.status], [1, "live"]);
  await node.request.hear({ type: "closed", code: 4004, reason: "the token has expired" });
  await node.pass(500);
  assert.equal(node.request.headers.get("authorization"), "Bearer t2");
  assert.equal(node.request.headers.get("last-event-id"), "7-5");
});

test("a token that is refused closes it: what was asked with it would be refused, too", async () => {
  await node.connect({ token: "abc" });
  const seen = node.watch();
  await node.socket.hear(welcome, { type: "error", code: "unauthenticated", message: "the token has expired" });
  assert.equal(node.statuses.at(-1), "closed unauthenticated");
  assert.equal(seen.statuses.at(-1), "closed unauthenticated");
});

test("me without a token closes that topic alone", async () => {
  await node.connect();
  const me = node.watch(node.live.player("harbin"));
  const seen = node.watch();
  await node.socket.hear(welcome, { type: "error", id: 1, code: "unauthenticated", message: "send auth first" });
  await node.socket.hear(subscribed(2), snapshot(5));
  assert.equal(me.topic.status, "closed");
  assert.equal(seen.topic.status, "live");
});

test("a token that cannot be verified now is presented again on the next connection", async () => {
  await node.connect({ token: "abc" });
  await node.socket.hear(welcome, { type: "error", code: "unavailable", message: "the issuer is away" });
  assert.equal(node.live.status, "offline");
  await node.pass(500);
  await node.socket.hear(welcome, authenticated, { type: "error", code: "rate_limited", message: "a message was dropped" });
  assert.equal(node.live.status, "live");
});
