// One connection by WebSocket, and what is watched over it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, mock, test } from "node:test";

import { ANSWER_MS } from "../../../web/client/events.js";
import { BASE_MS, BEHIND_MS, CAP_MS, connect, RESYNC_MS, STEADY_MS } from "../../../web/client/live.js";
import { checksum } from "../../../web/client/reducer.js";
import { PROTOCOL, SOON_MS } from "../../../web/client/socket.js";
import { ANN, check, delta, HEARTBEAT_S, Node, rank, settled, snapshot, subscribed, TOPIC, welcome } from "./node.mjs";

/** @type {Node} */
let node;

beforeEach(() => {
  node = new Node();
});

afterEach(() => {
  node.end();
});

/** A connection that has told one top at version 5. */
async function started(options) {
  await node.connect(options);
  const seen = node.watch();
  await node.socket.hear(welcome, subscribed(), snapshot(5));
  return seen;
}

// -- asking -------------------------------------------------------------------------------------------------------------

test("it speaks the subprotocol, and subscribes once it is welcome", async () => {
  const socket = await node.connect();
  node.watch();
  assert.equal(socket.url, "ws://node/v1/live");
  assert.equal(socket.protocol, PROTOCOL);
  assert.deepEqual(socket.said, []);
  await socket.hear(welcome);
  assert.deepEqual(socket.asked("subscribe"), [{ op: "subscribe", id: 1, board: "harbin", view: "top", limit: 100 }]);
  assert.deepEqual(node.statuses, ["live"]);
});

for (const [given, url] of [
  ["https://host", "https://host"],
  ["https://host/", "https://host"],
  ["wss://host/v1/live", "https://host"],
  ["ws://host:8080/under/v1/live/?a=1#b", "http://host:8080/under"],
]) {
  test(`${given} is the service at ${url}`, async () => {
    const socket = await node.connect();
    const live = connect(given, { WebSocket: socket.constructor });
    assert.equal(live.url, url);
    assert.equal(node.socket.url, `${url.replace("http", "ws")}/v1/live`);
    live.close();
  });
}

test("what is no address is refused at once", () => {
  assert.throws(() => connect("no address"), TypeError);
});

test("each view is asked for as the contract has it", async () => {
  const socket = await node.connect();
  node.live.top("harbin");
  node.live.player("harbin");
  node.live.player("harbin", "ann");
  node.live.around("harbin");
  node.live.around("harbin", "ann", { radius: 2 });
  await socket.hear(welcome);
  assert.deepEqual(
    socket.asked("subscribe").map(({ op: _, id: __, board: ___, ...view }) => view),
    [
      { view: "top", limit: 10 },
      { view: "player", player: "me" },
      { view: "player", player: "ann" },
      { view: "around", player: "me", radius: 5 },
      { view: "around", player: "ann", radius: 2 },
    ],
  );
});

test("a snapshot and what follows it are states", async () => {
  const seen = await started();
  await node.socket.hear(delta(5, 6, [["move", 1, 0, { score: 40, seq: 3 }]]));
  assert.deepEqual(
    seen.states[1].entries.map(({ rank: place, player }) => [place, player]),
    [[1, "bob"], [2, "ann"]],
  );
  await node.socket.hear(check(8, checksum(seen.states[1].entries)));
  assert.equal(seen.states[2].version, 8);
  assert.equal(seen.states[2].total, 9);
  assert.deepEqual(seen.causes, ["snapshot", "delta", "check"]);
  assert.deepEqual(seen.events, ["snapshot", "delta", "check"]);
  assert.deepEqual(seen.statuses, ["live"]);
});

test("a player's ranks are states, and the topic says who `me` is", async () => {
  await node.connect();
  const seen = node.watch(node.live.player("harbin"));
  await node.socket.hear(welcome, subscribed(1, "snapshot", "harbin/player/ann"), rank(5, 5, 3), rank(5, 7, 1, { moved: 2 }));
  assert.deepEqual(seen.states.map(({ player, rank: place, moved }) => [player, place, moved]), [["ann", 3, 0], ["ann", 1, 2]]);
  await node.socket.hear(rank(9, 10, 2));
  assert.equal(seen.states.length, 2);
  assert.equal(node.live.quality.outOfStep, 1);
});

// -- never a wrong state ------------------------------------------------------------------------------------------------

for (const [what, message] of [
  ["a hole in the versions", delta(6, 7)],
  ["another epoch", delta(5, 6, [], 8)],
  ["a row that is not there", delta(5, 6, [["out", 9]])],
  ["a checksum that is not its own", check(6, 1)],
]) {
  test(`${what} makes it ask for a snapshot, and deaf until that has come`, async () => {
    const seen = await started();
    await node.socket.hear(message, message, delta(5, 6));
    assert.equal(seen.statuses.at(-1), "stale resync");
    await node.pass(RESYNC_MS / 2);
    assert.equal(node.socket.asked("subscribe").length, 2);
    assert.equal(node.socket.asked("subscribe")[1].resume, undefined);
    assert.equal(seen.states.length, 1);
    await node.socket.hear(subscribed(), snapshot(9), delta(9, 10));
    assert.equal(seen.states.at(-1).version, 10);
    assert.equal(seen.statuses.at(-1), "live");
    assert.equal(node.live.quality.outOfStep, 1);
  });
}

test("a topic that never fits is asked for about once a second at random, not each time", async () => {
  await started(undefined);
  for (let step = 0; step < 100; step += 1) {
    await node.pass(50);
    await node.socket.hear(subscribed(), snapshot(5), delta(99, 100));
  }
  assert.ok(node.socket.asked("subscribe").length <= 11, `${node.socket.asked("subscribe").length} in five seconds`);
});

test("a node that is behind what was shown is not followed backwards, unless it stays there", async () => {
  const seen = await started();
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome, subscribed(), snapshot(4));
  assert.equal(seen.topic.status, "stale");
  for (let waited = 0; waited < BEHIND_MS; waited += RESYNC_MS / 2) {
    assert.deepEqual(seen.states.map(({ version }) => version), [5]);
    await node.pass(RESYNC_MS / 2);
    await node.socket.hear(subscribed(), snapshot(4));
  }
  assert.deepEqual(seen.states.map(({ version }) => version), [5, 4]);
  assert.equal(seen.topic.status, "live");
});

test("a new epoch may begin anywhere", async () => {
  const seen = await started();
  await node.socket.hear(snapshot(1, [ANN], 8));
  assert.deepEqual([seen.states.at(-1).epoch, seen.states.at(-1).version], [8, 1]);
});

test("what is not JSON, or no message of the contract, ends the connection", async () => {
  await node.connect();
  node.watch();
  await node.socket.hear(welcome);
  node.socket.onmessage({ data: "<html>" });
  assert.deepEqual(node.statuses, ["live", "offline"]);
  await node.pass(500);
  await node.socket.hear(welcome, subscribed(), { ...snapshot(5), entries: 7 });
  assert.equal(node.statuses.at(-1), "offline");
});

test("messages that it does not know are passed over", async () => {
  await node.connect();
  await node.socket.hear(welcome, { type: "confetti" }, delta(1, 2), { type: "error", code: "rate_limited" });
  assert.equal(node.live.status, "live");
});

test("whether the ranking is away is said anew by a node that leads on", async () => {
  const seen = await started();
  await node.socket.hear({ type: "stale", topic: TOPIC, as_of: 1_893_456_000 });
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome, subscribed(1, "resumed"));
  assert.deepEqual([seen.states.at(-1).asOf, seen.causes.at(-1), seen.topic.status], [null, "resumed", "live"]);
});

test("staleness and its end are of the state and of the status", async () => {
  const seen = await started();
  await node.socket.hear({ type: "stale", topic: TOPIC, as_of: 1_893_456_000 });
  assert.equal(seen.states.at(-1).asOf, 1_893_456_000);
  assert.equal(seen.statuses.at(-1), "stale ranking_away");
  await node.socket.hear({ type: "fresh", topic: TOPIC });
  assert.equal(seen.states.at(-1).asOf, null);
  assert.equal(seen.statuses.at(-1), "live");
});

// -- coming back --------------------------------------------------------------------------------------------------------

test("a lost connection comes back after a random part of a growing wait, and leads on from what is held", async () => {
  const seen = await started({ chance: 0.999, fetch: () => Promise.reject(new TypeError("no network")) });
  await node.socket.lose(1006);
  assert.deepEqual([node.live.status, seen.topic.status], ["offline", "offline"]);
  let before = node.sockets.length;
  for (const wait of [500, 1000]) {
    await node.pass(wait * 0.998);
    assert.equal(node.sockets.length, before, `too early for ${wait}`);
    await node.pass(wait * 0.002);
    assert.equal(node.sockets.length, ++before, `too late for ${wait}`);
    await node.socket.lose(1006);
  }
  // Every fourth try is by events.
  await node.pass(2000);
  assert.equal(node.sockets.length, before);
  await node.pass(4000);
  assert.equal(node.sockets.length, before + 1);
  await node.socket.hear(welcome);
  assert.deepEqual(node.socket.asked("subscribe")[0].resume, { epoch: 7, version: 5 });
  assert.equal(seen.topic.status, "stale");
  await node.socket.hear(subscribed(1, "resumed"), delta(5, 9));
  assert.deepEqual(seen.states.map(({ version }) => version), [5, 9]);
  assert.equal(seen.topic.status, "live");
  assert.deepEqual({ ...node.live.quality, latency: 0 }, {
    transport: "websocket", latency: 0, reconnects: 1, resumed: 1, snapshots: 1, outOfStep: 0,
  });
});

test("a list that was out of step when the connection was lost is asked for afresh", async () => {
  await started();
  await node.socket.hear(delta(6, 7));
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome);
  assert.equal(node.socket.asked("subscribe")[0].resume, undefined);
});

test("a node that leads on what is not held is asked for a snapshot", async () => {
  await node.connect();
  node.watch();
  await node.socket.hear(welcome, subscribed(1, "resumed"));
  await node.pass(RESYNC_MS / 2);
  assert.equal(node.socket.asked("subscribe").length, 2);
});

test("the waits are short again after a connection that held", async () => {
  await node.connect({ chance: 0.999 });
  await node.socket.hear(welcome);
  for (let loss = 0; loss < 2; loss += 1) {
    await node.socket.lose(1006);
    await node.pass(15_000);
  }
  await node.socket.hear(welcome);
  await node.pass(STEADY_MS);
  const before = node.sockets.length;
  await node.socket.lose(1006);
  await node.pass(500);
  assert.equal(node.sockets.length, before + 1);
});

test("a node that leaves is left when it said, neither sooner nor later", async () => {
  const seen = await started();
  await node.socket.hear({ type: "drain", reconnect_in_ms: 3000 });
  await node.pass(2999);
  assert.equal(node.sockets.length, 1);
  await node.pass(1);
  assert.ok(node.sockets[0].closed);
  await node.pass(0);
  assert.equal(node.sockets.length, 2);
  await node.socket.hear(welcome, subscribed(1, "resumed"));
  assert.equal(seen.states.length, 1);
});

test("the first word of when to come is what counts", async () => {
  await node.connect();
  await node.socket.hear(welcome, { type: "drain", reconnect_in_ms: 3000 }, { type: "drain", reconnect_in_ms: 9000 });
  await node.pass(3000);
  await node.pass(0);
  assert.equal(node.sockets.length, 2);
});

test("a node that leaves before its time is still not stormed, not even by waking", async () => {
  await node.connect({ chance: 0 });
  await node.socket.hear(welcome, { type: "drain", reconnect_in_ms: 3000 });
  await node.pass(1000);
  await node.socket.lose(4000);
  node.live.wake();
  await node.pass(1999);
  assert.equal(node.sockets.length, 1);
  await node.pass(1);
  assert.equal(node.sockets.length, 2);
});

const asyncapi = JSON.parse(readFileSync(new URL("../../../api/asyncapi.json", import.meta.url), "utf8"));
const closes = [[1000, true], [1012, true], [4099, true], [4199, false], [4200, true]];

for (const [code, comesBack] of [...closes, ...asyncapi["x-close-codes"].map((close) => [close.code, close.comeBack])]) {
  test(`close code ${code} ${comesBack ? "comes" : "does not come"} back`, async () => {
    const seen = await started();
    await node.socket.lose(code, "why");
    await node.pass(60_000);
    assert.equal(node.sockets.length > 1, comesBack);
    assert.equal(node.live.status, comesBack ? "offline" : "closed");
    node.live.close();
    assert.equal(node.statuses[1], comesBack ? "offline why" : "closed why");
    assert.equal(node.statuses.length, comesBack ? 3 : 2);
    assert.equal(seen.statuses[1], comesBack ? "offline why" : "closed why");
  });
}

// -- a dead peer --------------------------------------------------------------------------------------------------------

test("it pings at once for the latency, and then every heartbeat", async () => {
  const qualities = [];
  await node.connect();
  node.live.on("quality", ({ latency }) => qualities.push(latency));
  await node.socket.hear(welcome);
  for (let beat = 1; beat <= 4; beat += 1) {
    assert.equal(node.socket.asked("ping").length, beat);
    await node.pass(30);
    await node.socket.hear({ type: "pong" });
    await node.pass(HEARTBEAT_S * 1000 - 30);
  }
  assert.deepEqual(qualities, [30, 30, 30, 30]);
  assert.equal(node.sockets.length, 1);
});

test("a connection on which nothing is heard for two heartbeats is given up, without waiting for its close", async () => {
  const socket = await node.connect({ chance: 0 });
  await socket.hear(welcome);
  await node.pass(HEARTBEAT_S * 2000 - 1);
  assert.equal(node.live.status, "live");
  await node.pass(1);
  assert.ok(socket.closed);
  assert.equal(node.live.status, "offline");
  await node.pass(0);
  assert.equal(node.sockets.length, 2);
  await socket.hear(welcome); // what the old one still says does not count
  assert.equal(node.live.status, "offline");
  const pings = socket.asked("ping").length;
  await node.pass(HEARTBEAT_S * 1000);
  assert.equal(socket.asked("ping").length, pings);
});

test("a node that answers pings but not the subscription is given up", async () => {
  await node.connect({ chance: 0 });
  node.watch();
  await node.socket.hear(welcome, subscribed());
  await node.pass(ANSWER_MS / 2);
  await node.socket.hear({ type: "pong" });
  await node.pass(ANSWER_MS / 2);
  await node.pass(0);
  assert.equal(node.sockets.length, 2);
});

test("waking makes sure of everything, and soon gives up on silence", async () => {
  const seen = await started({ chance: 0 });
  node.live.wake();
  assert.deepEqual(node.socket.asked("subscribe")[1].resume, { epoch: 7, version: 5 });
  assert.equal(seen.topic.status, "live");
  await node.pass(SOON_MS);
  assert.equal(node.live.status, "offline");
});

test("waking again and again asks once", async () => {
  await started();
  node.live.wake();
  node.live.wake();
  node.live.wake();
  assert.equal(node.socket.asked("subscribe").length, 2);
  await node.socket.hear(subscribed(1, "resumed"));
  assert.equal(node.live.status, "live");
});

test("waking cuts a wait short, and the waits are short again", async () => {
  await node.connect({ chance: 0.999 });
  await node.socket.hear(welcome);
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.lose(1006);
  node.live.wake();
  assert.equal(node.sockets.length, 3);
  await node.socket.lose(1006);
  await node.pass(500);
  assert.equal(node.sockets.length, 4);
});

// -- refusals -----------------------------------------------------------------------------------------------------------

test("a board that is not there closes its topic and nothing else", async () => {
  await node.connect();
  const seen = node.watch();
  await node.socket.hear(welcome, { type: "error", id: 1, code: "board_unknown", message: "there is no board" });
  assert.deepEqual(seen.statuses, ["connecting", "closed board_unknown"].slice(1));
  assert.equal(node.live.status, "live");
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome);
  assert.equal(node.socket.asked("subscribe").length, 0);
  const again = node.watch();
  await node.socket.hear(subscribed(2), snapshot(1));
  assert.equal(again.states.length, 1);
});

test("an error that passes is asked about again", async () => {
  await node.connect({ chance: 0.999 });
  const seen = node.watch();
  await node.socket.hear(welcome, { type: "error", id: 1, code: "ranking_unavailable", message: "away" });
  assert.deepEqual(seen.statuses, ["connecting ranking_unavailable"]);
  await node.pass(500);
  assert.equal(node.socket.asked("subscribe").length, 2);
  await node.socket.hear(subscribed(), snapshot(5));
  assert.equal(seen.states.length, 1);
  assert.deepEqual(seen.statuses.at(-1), "live");
});

test("an error that goes on passing is asked about ever more slowly", async () => {
  await node.connect({ chance: 1 });
  node.watch();
  await node.socket.hear(welcome);
  for (const wait of [500, 1000, 2000]) {
    await node.socket.hear({ type: "error", id: 1, code: "overloaded", message: "no room" });
    const before = node.socket.asked("subscribe").length;
    await node.pass(wait - 1);
    assert.equal(node.socket.asked("subscribe").length, before);
    await node.pass(1);
    assert.equal(node.socket.asked("subscribe").length, before + 1);
  }
});

test("a topic that ends tells its watcher and takes no more of it", async () => {
  const seen = await started();
  await node.socket.hear({ type: "error", topic: TOPIC, code: "board_unknown", message: "gone" }, delta(5, 6));
  assert.equal(seen.statuses.at(-1), "closed board_unknown");
  assert.equal(seen.states.length, 1);
});

// -- who watches --------------------------------------------------------------------------------------------------------

test("a closed topic unsubscribes and hears no more", async () => {
  const seen = await started();
  seen.topic.close();
  assert.deepEqual(node.socket.said.at(-1), { op: "unsubscribe", topic: TOPIC });
  await node.socket.hear(delta(5, 6));
  assert.equal(seen.states.length, 1);
  assert.deepEqual(seen.statuses, ["live", "closed"]);
});

test("a topic that is closed before its answer unsubscribes when the answer names it", async () => {
  await node.connect();
  node.live.top("harbin").close();
  const kept = node.live.top("other");
  await node.socket.hear(welcome);
  assert.deepEqual(node.socket.asked("subscribe").map(({ board }) => board), ["other"]);
  kept.close();
  await node.socket.hear(subscribed(2, "snapshot", "other/top/10"));
  assert.deepEqual(node.socket.said.at(-1), { op: "unsubscribe", topic: "other/top/10" });
});

test("the same is asked for once, told to all who look, and let go with the last of them", async () => {
  const first = await started();
  const second = node.watch();
  await settled();
  assert.equal(node.socket.asked("subscribe").length, 1);
  assert.equal(second.states[0], first.states[0]);
  assert.equal(second.topic.status, "live");
  first.topic.close();
  await node.socket.hear(delta(5, 6));
  assert.equal(node.socket.asked("unsubscribe").length, 0);
  assert.deepEqual([first.states.length, second.states.length], [1, 2]);
  second.topic.close();
  assert.equal(node.socket.asked("unsubscribe").length, 1);
});

test("one who comes back before the answer keeps what was asked for", async () => {
  await node.connect();
  await node.socket.hear(welcome);
  node.watch().topic.close();
  const second = node.watch();
  await node.socket.hear(subscribed(), snapshot(5));
  assert.equal(node.socket.asked("subscribe").length, 1);
  assert.equal(node.socket.asked("unsubscribe").length, 0);
  assert.equal(second.states.length, 1);
});

test("one player under two names is one topic: told to both, led on once, and let go with the last", async () => {
  await node.connect();
  const me = node.watch(node.live.player("harbin"));
  const ann = node.watch(node.live.player("harbin", "ann"));
  const topic = "harbin/player/ann";
  await node.socket.hear(welcome, subscribed(1, "snapshot", topic), rank(5, 5, 3));
  await node.socket.hear(subscribed(2, "snapshot", topic), rank(5, 5, 3), rank(5, 6, 2));
  assert.deepEqual([me.states.at(-1).version, ann.states.at(-1).version], [6, 6]);
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome);
  assert.deepEqual(node.socket.asked("subscribe").map(({ resume }) => resume), [{ epoch: 7, version: 6 }, undefined]);
  await node.socket.hear(subscribed(1, "resumed", topic), subscribed(2, "snapshot", topic), rank(6, 6, 2));
  me.topic.close();
  assert.equal(node.socket.asked("unsubscribe").length, 0);
  ann.topic.close();
  assert.equal(node.socket.asked("unsubscribe").length, 1);
});

test("one name is let go while the node makes the other: it is asked for again", async () => {
  await node.connect();
  const me = node.watch(node.live.player("harbin"));
  const topic = "harbin/player/ann";
  await node.socket.hear(welcome, subscribed(1, "snapshot", topic), rank(5, 5, 3));
  const ann = node.watch(node.live.player("harbin", "ann"));
  me.topic.close();
  await node.socket.hear(subscribed(2, "snapshot", topic), rank(5, 5, 3), { type: "unsubscribed", id: null, topic });
  assert.equal(ann.topic.status, "stale");
  await node.pass(0);
  assert.deepEqual(node.socket.asked("subscribe").map(({ id }) => id), [1, 2, 2]);
});

test("one who left while the node owed an answer is asked for no more, and does not keep the other name from leading on", async () => {
  await node.connect();
  const me = node.watch(node.live.player("harbin"));
  node.watch(node.live.player("harbin", "ann"));
  const topic = "harbin/player/ann";
  await node.socket.hear(welcome, subscribed(1, "snapshot", topic), rank(5, 5, 3), subscribed(2, "snapshot", topic), rank(5, 5, 3));
  node.live.wake();
  me.topic.close();
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome);
  assert.deepEqual(node.socket.asked("subscribe").map(({ id, resume }) => [id, resume]), [[2, { epoch: 7, version: 5 }]]);
});

test("a node that leads on another topic than the one held is asked afresh: `me` is somebody else now", async () => {
  await node.connect();
  const me = node.watch(node.live.player("harbin"));
  await node.socket.hear(welcome, subscribed(1, "snapshot", "harbin/player/ann"), rank(5, 5, 3));
  await node.socket.lose(1006);
  await node.pass(500);
  await node.socket.hear(welcome, subscribed(1, "resumed", "harbin/player/bob"));
  assert.equal(me.topic.status, "stale");
  await node.pass(RESYNC_MS / 2);
  assert.equal(node.socket.asked("subscribe")[1].resume, undefined);
});

test("closing is for good", async () => {
  const seen = await started();
  node.live.close();
  assert.ok(node.socket.closed);
  node.live.wake();
  await node.pass(60_000);
  assert.equal(node.sockets.length, 1);
  assert.equal(node.live.status, "closed");
  assert.deepEqual(seen.statuses.at(-1), "closed");
  assert.equal(node.live.top("late").status, "closed");
});

test("a listener that fails is reported, and the others are told all the same", async () => {
  const failure = new Error("mine");
  const reported = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  await node.connect();
  const topic = node.live.top("harbin", { limit: 100 });
  topic.on("state", () => {
    throw failure;
  });
  const seen = node.watch(topic);
  await node.socket.hear(welcome, subscribed(), snapshot(5));
  assert.equal(await reported, failure);
  process.setUncaughtExceptionCaptureCallback(null);
  assert.equal(seen.states.length, 1);
  assert.equal(node.live.status, "live");
});

test("nothing is heard within five seconds: something swallows WebSockets, and the next try is by events", async () => {
  await node.connect({ chance: 0 });
  node.watch();
  await node.pass(SOON_MS);
  assert.equal(node.live.status, "connecting");
  await node.pass(0);
  assert.equal(node.requests.length, 1);
});

test("the waits double up to a bound, and stay there, and may be nothing", async () => {
  let tries = 0;
  const fetch = () => {
    tries += 1;
    return Promise.reject(new TypeError("no network"));
  };
  await node.connect({ chance: 1, WebSocket: null, fetch });
  node.live.top("harbin");
  await settled();
  for (let wait = BASE_MS; tries < 40; wait = Math.min(CAP_MS, wait * 2)) {
    const before = tries;
    await node.pass(wait - 1);
    assert.equal(tries, before, `too early for ${wait}`);
    await node.pass(1);
    assert.equal(tries, before + 1, `too late for ${wait}`);
  }
  node.chance = 0;
  await node.pass(CAP_MS);
  await node.pass(0);
  assert.equal(tries, 42);
});
