// What a topic hands out: to listeners, and to loops.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { LiveError } from "../../../web/client/live.js";
import { delta, Node, rank, settled, snapshot, subscribed, TOPIC, welcome } from "./node.mjs";

/** @type {Node} */
let node;

beforeEach(async () => {
  node = new Node();
  await node.connect();
});

afterEach(() => {
  node.end();
});

const top = () => node.live.top("harbin", { limit: 100 });

test("a loop gets the present state, then the newest whenever it asks", async () => {
  const topic = top();
  const loop = topic[Symbol.asyncIterator]();
  const first = loop.next();
  await node.socket.hear(welcome, subscribed(), snapshot(5));
  assert.equal((await first).value.version, 5);
  await node.socket.hear(delta(5, 6), delta(6, 7), delta(7, 8));
  assert.equal((await loop.next()).value.version, 8);
  const late = topic[Symbol.asyncIterator]();
  assert.equal((await late.next()).value.version, 8);
  const next = loop.next();
  await node.socket.hear(delta(8, 9));
  assert.equal((await next).value.version, 9);
});

test("a slow loop over a player is told what has happened since it last looked", async () => {
  const loop = node.live.player("harbin", "ann")[Symbol.asyncIterator]();
  const first = loop.next();
  await node.socket.hear(welcome, subscribed(1, "snapshot", "harbin/player/ann"), rank(5, 5, 3));
  assert.equal((await first).value.rank, 3);
  await node.socket.hear(
    rank(5, 6, 5, { moved: -2, passed_by: ["bob", "eve"] }),
    rank(6, 7, 4, { moved: 1 }),
    rank(7, 8, 7, { moved: -3, passed_by: ["joe", "bob", "kim"] }),
  );
  const { value } = await loop.next();
  assert.deepEqual([value.rank, value.moved, value.passed_by], [7, -4, ["joe", "bob", "kim"]]);
  await node.socket.hear(rank(8, 9, null), rank(9, 10, 2));
  assert.equal((await loop.next()).value.moved, 5);
  await node.socket.hear(rank(10, 11, null));
  assert.equal((await loop.next()).value.moved, 0);
});

test("leaving a loop closes the topic", async () => {
  const topic = top();
  await node.socket.hear(welcome, subscribed(), snapshot(5));
  for await (const board of topic) {
    assert.equal(board.version, 5);
    break;
  }
  assert.equal(topic.status, "closed");
  assert.equal(node.socket.asked("unsubscribe").length, 1);
});

for (const [what, close] of [["topic", (topic) => topic.close()], ["connection", () => node.live.close()]]) {
  test(`a loop ends when its ${what} is closed, behind what it has not seen`, async () => {
    const topic = top();
    const loop = topic[Symbol.asyncIterator]();
    const first = loop.next();
    await node.socket.hear(welcome, subscribed(), snapshot(5));
    await first;
    await node.socket.hear(delta(5, 6));
    close(topic);
    assert.equal((await loop.next()).value.version, 6);
    assert.equal((await loop.next()).done, true);
  });
}

test("a loop over what is refused fails with its code, and says what the node said", async () => {
  const loop = top()[Symbol.asyncIterator]();
  const refused = assert.rejects(loop.next(), (error) => error instanceof LiveError && error.code === "board_unknown" && `${error}` === "WatchRefused: no such");
  await node.socket.hear(welcome, { type: "error", id: 1, code: "board_unknown", message: "no such" });
  await refused;
});

test("a refusal without a word says its code", async () => {
  const loop = top()[Symbol.asyncIterator]();
  const refused = assert.rejects(loop.next(), { name: "WatchRefused", code: "forbidden", message: "forbidden" });
  await node.socket.hear(welcome, { type: "error", id: 1, code: "forbidden", message: "" });
  await refused;
});

test("a token that is refused is said to every loop as the node said it, to those that come later, too", async () => {
  const refused = { name: "WatchRefused", code: "unauthenticated", message: "the token has expired" };
  const first = assert.rejects(top()[Symbol.asyncIterator]().next(), refused);
  await node.socket.hear(welcome, { type: "error", code: "unauthenticated", message: "the token has expired" });
  await first;
  await assert.rejects(top()[Symbol.asyncIterator]().next(), refused);
});

test("a loop over a connection that was refused fails with why, and so does one that comes later", async () => {
  const loop = top()[Symbol.asyncIterator]();
  const refused = (error) => error instanceof LiveError && error.code === "no more";
  const first = assert.rejects(loop.next(), refused);
  await node.socket.lose(4103, "no more");
  await first;
  await assert.rejects(top()[Symbol.asyncIterator]().next(), refused);
});

test("a loop outlives a lost connection", async () => {
  const loop = top()[Symbol.asyncIterator]();
  let next = loop.next();
  await node.socket.hear(welcome, subscribed(), snapshot(5));
  await next;
  next = loop.next();
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome, subscribed(1, "resumed"), delta(5, 6));
  assert.equal((await next).value.version, 6);
});

test("who listens late is told the present state, once; who has left is told nothing", async () => {
  const topic = top();
  await node.socket.hear(welcome, subscribed(), snapshot(5));
  const told = [];
  topic.on("state", (state, cause, before) => told.push([state.version, cause, before]));
  topic.on("state", () => assert.fail("it has left"))();
  assert.deepEqual(told, []);
  await settled();
  assert.deepEqual(told, [[5, "snapshot", null]]);
  topic.on("state", ({ version }) => told.push(version));
  node.socket.onmessage({ data: JSON.stringify(delta(5, 6)) });
  await settled();
  assert.deepEqual(told.slice(1).map((one) => (Array.isArray(one) ? one[0] : one)), [6, 6]);
});

test("a listener is told the state before", async () => {
  const topic = top();
  const told = [];
  topic.on("state", (state, _, before) => told.push([before?.version, state.version]));
  await node.socket.hear(welcome, subscribed(), snapshot(5), delta(5, 6));
  assert.deepEqual(told, [[undefined, 5], [5, 6]]);
});

test("a status is told once for each change, and after the state that it speaks of", async () => {
  const topic = top();
  const told = [];
  topic.on("state", ({ asOf }) => told.push(asOf === null ? "state" : "old state"));
  topic.on("status", (status) => told.push(status));
  await node.socket.hear(welcome, subscribed(), snapshot(5), delta(5, 6));
  await node.socket.hear({ type: "stale", topic: TOPIC, as_of: 1_893_456_000 });
  assert.deepEqual(told, ["state", "live", "state", "old state", "stale"]);
});
