// A page that was away: hidden, asleep, without a network, in the browser's memory of pages gone by.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Node, snapshot, subscribed, welcome } from "./node.mjs";

/** @type {Node} */
let node;
let page;
let events;
let listened;

beforeEach(async () => {
  page = { visibilityState: "visible" };
  // The page's own events come by the window, too.
  events = new EventTarget();
  globalThis.document = page;
  listened = mock.fn(events.addEventListener.bind(events));
  globalThis.addEventListener = listened;
  globalThis.removeEventListener = events.removeEventListener.bind(events);
  node = new Node();
  await node.connect();
  node.watch();
  await node.socket.hear(welcome, subscribed(), snapshot(5));
});

afterEach(() => {
  node.end();
  delete globalThis.document;
  delete globalThis.addEventListener;
  delete globalThis.removeEventListener;
});

const happen = (target, type) => target.dispatchEvent(new Event(type));
const questions = () => node.socket.asked("subscribe").length;

test("a page that comes into sight makes sure of everything; one that goes out of sight does not", () => {
  page.visibilityState = "hidden";
  happen(events, "visibilitychange");
  assert.equal(questions(), 1);
  page.visibilityState = "visible";
  happen(events, "visibilitychange");
  assert.equal(questions(), 2);
});

for (const type of ["online", "offline"]) {
  test(`the machine going ${type} makes sure of everything`, () => {
    happen(events, type);
    assert.equal(questions(), 2);
  });
}

test("a page that is shown again as it was left makes sure of everything", () => {
  happen(events, "pageshow");
  assert.equal(questions(), 2);
});

test("coming into sight cuts a wait short", async () => {
  await node.socket.lose(1006);
  assert.equal(node.sockets.length, 1);
  happen(events, "visibilitychange");
  assert.equal(node.sockets.length, 2);
});

test("who has closed the connection is not woken, and keeps nothing of the page", async () => {
  const { signal } = listened.mock.calls.at(-1).arguments[2];
  assert.equal(signal.aborted, false);
  node.live.close();
  assert.equal(signal.aborted, true);
  happen(events, "online");
  happen(events, "visibilitychange");
  await node.pass(60_000);
  assert.equal(node.sockets.length, 1);
});
