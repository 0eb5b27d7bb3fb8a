// One connection and its watches, against a socket that the test holds in its hand and a clock that it turns.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ANSWER_MS, Live, PROTOCOL, RESYNC_MS, WAKE_MS } from "../../../web/client/live.js";
import { checksum } from "../../../web/client/reducer.js";

const TOPIC = "harbin/top/100";
const HEARTBEAT_S = 25;
const ANN = { rank: 1, player: "ann", name: "Ann", score: 30, seq: 1 };
const BOB = { rank: 2, player: "bob", name: "Bob", score: 20, seq: 2 };

/** @type {Socket[]} */
let sockets;
let time;
let live;
let statuses;

class Socket {
  readyState = 1;
  /** @type {any[]} */
  said = [];
  closed = false;

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    sockets.push(this);
  }

  send(text) {
    this.said.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  hear(...messages) {
    for (const message of messages) this.onmessage({ data: JSON.stringify(message) });
  }

  lose(code) {
    this.readyState = 3;
    this.onclose({ code });
  }

  get subscriptions() {
    return this.said.filter(({ op }) => op === "subscribe");
  }
}

function pass(ms) {
  time += ms;
  mock.timers.tick(ms);
}

function start(random = () => 0.5) {
  live = new Live("ws://node/v1/live", {
    WebSocket: Socket,
    random,
    now: () => time,
    onStatus: (status) => statuses.push(status),
  });
  return sockets[0];
}

function watch(board = "harbin") {
  const seen = { states: [], causes: [], errors: [], stale: [] };
  seen.end = live.watchTop(board, 100, {
    onState: (state, cause) => {
      seen.states.push(state);
      seen.causes.push(cause);
    },
    onError: (code) => seen.errors.push(code),
    onStale: (asOf) => seen.stale.push(asOf),
  });
  return seen;
}

const welcome = { type: "welcome", heartbeat: HEARTBEAT_S, tick: 50 };
const subscribed = (id = 1, topic = TOPIC) => ({ type: "subscribed", id, topic, mode: "snapshot" });
const snapshot = (version, entries = [ANN, BOB], epoch = 7) => ({
  type: "snapshot",
  topic: TOPIC,
  epoch,
  version,
  total: 2,
  ranks: "competition",
  limit: 100,
  entries,
});
const delta = (from, to, ops = [], epoch = 7) => ({ type: "delta", topic: TOPIC, epoch, from, to, total: 2, ops });
const check = (version, crc) => ({ type: "check", topic: TOPIC, epoch: 7, version, total: 9, crc });

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  sockets = [];
  statuses = [];
  time = 0;
});

afterEach(() => {
  live.close();
  mock.timers.reset();
});

test("it speaks the subprotocol, and subscribes once it is welcome", () => {
  const socket = start();
  watch();
  assert.equal(socket.protocol, PROTOCOL);
  assert.deepEqual(socket.said, []);
  socket.hear(welcome);
  assert.deepEqual(socket.said, [{ op: "subscribe", id: 1, board: "harbin", view: "top", limit: 100 }]);
  assert.deepEqual(statuses, ["open"]);
});

test("a snapshot and what follows it reach the watcher as states", () => {
  const socket = start();
  const seen = watch();
  socket.hear(welcome, subscribed(), snapshot(5), delta(5, 6, [["move", 1, 0, { score: 40, seq: 3 }]]));
  assert.deepEqual(seen.causes, ["snapshot", "delta"]);
  assert.deepEqual(
    seen.states[1].entries.map(({ rank, player }) => [rank, player]),
    [[1, "bob"], [2, "ann"]],
  );
  socket.hear(check(8, checksum(seen.states[1].entries)));
  assert.equal(seen.states[2].version, 8);
  assert.equal(seen.states[2].total, 9);
});

for (const [what, message] of [
  ["a hole in the versions", delta(6, 7)],
  ["another epoch", delta(5, 6, [], 8)],
  ["a row that is not there", delta(5, 6, [["out", 9]])],
  ["a checksum that is not its own", check(6, 1)],
]) {
  test(`${what} makes it ask for a snapshot, and deaf until that has come`, () => {
    const socket = start();
    const seen = watch();
    socket.hear(welcome, subscribed(), snapshot(5));
    pass(RESYNC_MS);
    socket.hear(message, message, delta(5, 6));
    assert.equal(socket.subscriptions.length, 2);
    assert.equal(seen.states.length, 1);
    socket.hear(subscribed(), snapshot(9), delta(9, 10));
    assert.equal(seen.states.at(-1).version, 10);
  });
}

test("a topic that never fits is not asked for more than once a second", () => {
  const socket = start();
  watch();
  socket.hear(welcome, subscribed(), snapshot(5));
  for (let step = 0; step < 100; step += 1) {
    pass(50);
    socket.hear(subscribed(), snapshot(5), delta(99, 100));
  }
  assert.ok(socket.subscriptions.length <= 6, `${socket.subscriptions.length} in five seconds`);
});

test("a lost connection comes back after a random part of a growing wait, and subscribes again", () => {
  start(() => 0.999);
  const seen = watch();
  sockets[0].hear(welcome, subscribed(), snapshot(5));
  sockets[0].lose(1006);
  assert.equal(live.status, "reconnecting");
  for (const wait of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
    const before = sockets.length;
    pass(wait * 0.998);
    assert.equal(sockets.length, before, `too early for ${wait}`);
    pass(wait * 0.002);
    assert.equal(sockets.length, before + 1, `too late for ${wait}`);
    sockets.at(-1).lose(1006);
  }
  pass(15_000);
  sockets.at(-1).hear(welcome, subscribed(), snapshot(12));
  assert.equal(live.status, "open");
  assert.equal(seen.states.at(-1).version, 12);
});

test("the waits are short again after a connection that held", () => {
  const socket = start(() => 0.999);
  for (let loss = 0; loss < 6; loss += 1) {
    sockets.at(-1).lose(1006);
    pass(15_000);
  }
  sockets.at(-1).hear(welcome);
  pass(10_000);
  const before = sockets.length;
  sockets.at(-1).lose(1006);
  pass(500);
  assert.equal(sockets.length, before + 1);
  assert.notEqual(sockets.at(-1), socket);
});

test("a node that leaves is left when it said, neither sooner nor later", () => {
  const socket = start();
  socket.hear(welcome, { type: "drain", reconnect_in_ms: 3000 });
  pass(2999);
  assert.equal(sockets.length, 1);
  pass(1);
  assert.ok(socket.closed);
  pass(0);
  assert.equal(sockets.length, 2);
});

test("a node that leaves before its time is still not stormed", () => {
  const socket = start(() => 0);
  socket.hear(welcome, { type: "drain", reconnect_in_ms: 3000 });
  pass(1000);
  socket.lose(4000);
  pass(1999);
  assert.equal(sockets.length, 1);
  pass(1);
  assert.equal(sockets.length, 2);
});

const asyncapi = JSON.parse(readFileSync(new URL("../../../api/asyncapi.json", import.meta.url), "utf8"));
const closes = [[1000, true], [1012, true], [4099, true], [4199, false], [4200, true]];

for (const [code, comesBack] of [...closes, ...asyncapi["x-close-codes"].map((close) => [close.code, close.comeBack])]) {
  test(`close code ${code} ${comesBack ? "comes" : "does not come"} back`, () => {
    start().lose(code);
    pass(60_000);
    assert.equal(sockets.length > 1, comesBack);
    assert.equal(live.status === "closed", !comesBack);
  });
}

test("it pings every heartbeat", () => {
  const socket = start();
  socket.hear(welcome);
  for (let beat = 1; beat <= 4; beat += 1) {
    pass(HEARTBEAT_S * 1000);
    assert.equal(socket.said.filter(({ op }) => op === "ping").length, beat);
    socket.hear({ type: "pong" });
  }
  assert.equal(sockets.length, 1);
});

test("a connection on which nothing is heard for two heartbeats is given up, without waiting for its close", () => {
  const socket = start(() => 0);
  socket.hear(welcome);
  pass(HEARTBEAT_S * 2000 - 1);
  assert.equal(live.status, "open");
  pass(1);
  assert.ok(socket.closed);
  assert.equal(live.status, "reconnecting");
  pass(0);
  assert.equal(sockets.length, 2);
  socket.hear(welcome); // what the old one still says does not count
  assert.equal(live.status, "reconnecting");
});

test("a node that never says welcome is given up", () => {
  start(() => 0);
  pass(ANSWER_MS);
  pass(0);
  assert.equal(sockets.length, 2);
});

test("a node that answers pings but not the subscription is given up", () => {
  const socket = start(() => 0);
  watch();
  socket.hear(welcome, subscribed());
  pass(ANSWER_MS / 2);
  socket.hear({ type: "pong" });
  pass(ANSWER_MS / 2);
  pass(0);
  assert.equal(sockets.length, 2);
});

test("what is not JSON ends the connection", () => {
  const socket = start(() => 0);
  socket.hear(welcome);
  socket.onmessage({ data: "<html>" });
  assert.equal(live.status, "reconnecting");
});

test("messages that it does not know are passed over", () => {
  const socket = start();
  socket.hear(welcome, { type: "confetti" }, delta(1, 2));
  assert.equal(live.status, "open");
});

test("waking asks for everything anew, and soon gives up on silence", () => {
  const socket = start(() => 0);
  watch();
  socket.hear(welcome, subscribed(), snapshot(5));
  live.wake();
  assert.equal(socket.subscriptions.length, 2);
  pass(WAKE_MS);
  assert.equal(live.status, "reconnecting");
});

test("waking cuts a wait short", () => {
  start(() => 0.999).lose(1006);
  live.wake();
  assert.equal(sockets.length, 2);
  pass(60_000);
});

test("a board that is not there is told once, and asked for again on the next connection", () => {
  const socket = start(() => 0);
  const seen = watch();
  socket.hear(welcome, { type: "error", id: 1, code: "board_unknown", message: "there is no board" });
  pass(ANSWER_MS * 2);
  assert.deepEqual(seen.errors, ["board_unknown"]);
  assert.equal(socket.subscriptions.length, 1);
  socket.lose(1006);
  pass(0);
  sockets[1].hear(welcome);
  assert.equal(sockets[1].subscriptions.length, 1);
});

test("an error that passes is asked about again", () => {
  const socket = start(() => 0.999);
  const seen = watch();
  socket.hear(welcome, { type: "error", id: 1, code: "ranking_unavailable", message: "away" });
  pass(500);
  assert.equal(socket.subscriptions.length, 2);
  socket.hear(subscribed(), snapshot(5));
  assert.equal(seen.states.length, 1);
});

test("a topic that ends tells its watcher and takes no more of it", () => {
  const socket = start();
  const seen = watch();
  socket.hear(welcome, subscribed(), snapshot(5));
  socket.hear({ type: "error", topic: TOPIC, code: "board_unknown", message: "gone" }, delta(5, 6));
  assert.deepEqual(seen.errors, ["board_unknown"]);
  assert.equal(seen.states.length, 1);
});

test("staleness and its end are handed on", () => {
  const socket = start();
  const seen = watch();
  socket.hear(welcome, subscribed(), snapshot(5));
  socket.hear({ type: "stale", topic: TOPIC, as_of: 1_893_456_000 }, { type: "fresh", topic: TOPIC });
  assert.deepEqual(seen.stale, [1_893_456_000, null]);
});

test("an ended watch unsubscribes and hears no more", () => {
  const socket = start();
  const seen = watch();
  socket.hear(welcome, subscribed(), snapshot(5));
  seen.end();
  assert.deepEqual(socket.said.at(-1), { op: "unsubscribe", id: 1, topic: TOPIC });
  socket.hear(delta(5, 6));
  assert.equal(seen.states.length, 1);
});

test("a watch that ends before its answer unsubscribes when the answer names the topic", () => {
  const socket = start();
  watch().end();
  const kept = watch("other");
  socket.hear(welcome);
  assert.deepEqual(socket.subscriptions.map(({ board }) => board), ["other"]);
  kept.end();
  socket.hear(subscribed(2, "other/top/100"));
  assert.deepEqual(socket.said.at(-1), { op: "unsubscribe", id: 2, topic: "other/top/100" });
});

test("ending one watch does not end the same board for the one who came after", () => {
  const socket = start();
  socket.hear(welcome);
  const first = watch();
  first.end();
  const second = watch();
  socket.hear(subscribed(1), subscribed(2), snapshot(5), delta(5, 6));
  assert.equal(socket.said.filter(({ op }) => op === "unsubscribe").length, 0);
  assert.equal(first.states.length, 0);
  assert.equal(second.states.at(-1).version, 6);
});

test("closing is for good", () => {
  const socket = start();
  socket.hear(welcome);
  live.close();
  assert.ok(socket.closed);
  live.wake();
  pass(60_000);
  assert.equal(sockets.length, 1);
  assert.equal(live.status, "closed");
});
