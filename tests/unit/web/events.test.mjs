// The same by server-sent events, where a WebSocket does not get through.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";

import { ANSWER_MS, FEW, TURN_MS } from "../../../web/client/events.js";
import { RESYNC_MS, STEADY_MS } from "../../../web/client/live.js";
import { delta, HEARTBEAT_S, Node, rank, settled, snapshot, subscribed, TOPIC, welcome } from "./node.mjs";

/** @type {Node} */
let node;

beforeEach(() => {
  node = new Node();
});

afterEach(() => {
  node.end();
});

/** A connection by events alone that has told one top at version 5. */
async function started(options) {
  await node.connect({ WebSocket: null, ...options });
  const seen = node.watch();
  await settled();
  await node.request.hear(welcome, subscribed(), snapshot(5));
  return seen;
}

test("without a WebSocket each topic is one request, and its events are states", async () => {
  const seen = await started();
  assert.equal(node.request.url.href, "http://node/v1/boards/harbin/live?view=top&limit=100");
  assert.equal(node.request.headers.get("accept"), "text/event-stream");
  assert.equal(node.request.headers.get("last-event-id"), null);
  await node.request.hear(delta(5, 6));
  assert.deepEqual(seen.states.map(({ version }) => version), [5, 6]);
  assert.deepEqual([node.live.status, seen.topic.status, node.live.quality.transport], ["live", "live", "events"]);
  node.live.player("harbin", "ann");
  await settled();
  assert.equal(node.requests.length, 2);
  assert.equal(node.request.url.href, "http://node/v1/boards/harbin/live?view=player&player=ann");
});

test("a WebSocket that is refused is followed by events, and where those fail, too, by a WebSocket again", async () => {
  await node.connect({ chance: 0 });
  const seen = node.watch();
  await node.socket.lose(1006);
  assert.equal(node.live.status, "connecting");
  await node.pass(0);
  assert.deepEqual([node.sockets.length, node.requests.length], [1, 1]);
  await node.request.end();
  await node.request.refuse(502);
  await node.pass(0);
  assert.deepEqual([node.sockets.length, node.requests.length], [2, 1]);
  assert.equal(node.live.status, "offline");
  await node.socket.lose(1006);
  await node.pass(0);
  await node.request.hear(welcome, subscribed(), snapshot(5));
  assert.equal(seen.states.length, 1);
  assert.equal(node.live.status, "live");
});

test("a WebSocket that cannot even be made is followed by events", async () => {
  await node.connect({
    chance: 0,
    WebSocket: class {
      constructor() {
        throw new SyntaxError("mixed content");
      }
    },
  });
  node.watch();
  await node.pass(0);
  assert.equal(node.requests.length, 1);
});

test("after events that held, a WebSocket is tried first", async () => {
  await node.connect({ chance: 0 });
  node.watch();
  await node.socket.lose(1006);
  await node.pass(0);
  await node.request.hear(welcome, subscribed(), snapshot(5));
  await node.pass(STEADY_MS);
  await node.request.end();
  await node.pass(0);
  assert.equal(node.sockets.length, 2);
});

test("events that come in pieces, or many at once, are the same events", async () => {
  const seen = await started();
  const text = [delta(5, 6, [["set", 0, { name: "Äöü 哈尔滨" }]]), delta(6, 7)].map((one) => `id: 7-1\ndata: ${JSON.stringify(one)}\n\n`).join(":\n\n");
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += 7) await node.request.write(bytes.slice(at, at + 7));
  assert.deepEqual(seen.states.map(({ version }) => version), [5, 6, 7]);
  assert.equal(seen.states[2].entries[0].name, "Äöü 哈尔滨");
  await node.request.write([delta(7, 8), delta(8, 9)].map((one) => `data: ${JSON.stringify(one)}\n\n`).join(""));
  assert.equal(seen.states.at(-1).version, 9);
});

test("a stream that ends leads on from the last event by another", async () => {
  const seen = await started({ chance: 0 });
  await node.request.hear(delta(5, 6));
  await node.request.end();
  assert.equal(seen.topic.status, "offline");
  await node.pass(0);
  assert.equal(node.request.headers.get("last-event-id"), "7-6");
  await node.request.hear(welcome, subscribed(1, "resumed"), delta(6, 8));
  assert.deepEqual(seen.states.map(({ version }) => version), [5, 6, 8]);
  assert.deepEqual([node.live.quality.reconnects, node.live.quality.resumed], [1, 1]);
});

test("a stream out of step is asked for afresh, alone", async () => {
  const seen = await started();
  const other = node.watch(node.live.player("harbin", "ann"));
  await settled();
  const [first, second] = node.requests;
  await second.hear(welcome, subscribed(1, "snapshot", "harbin/player/ann"), rank(5, 5, 1));
  await first.hear(delta(8, 9));
  assert.equal(seen.topic.status, "stale");
  await node.pass(RESYNC_MS / 2);
  assert.ok(first.aborted);
  assert.equal(second.aborted, false);
  assert.equal(node.request.headers.get("last-event-id"), null);
  await node.request.hear(welcome, subscribed(), snapshot(9));
  assert.deepEqual(seen.states.map(({ version }) => version), [5, 9]);
  await second.hear(rank(5, 6, 2));
  assert.equal(other.states.at(-1).version, 6);
});

test("one player under two names is two streams, each told its own", async () => {
  await node.connect({ WebSocket: null });
  const me = node.watch(node.live.player("harbin"));
  const ann = node.watch(node.live.player("harbin", "ann"));
  await settled();
  for (const request of node.requests) {
    await request.hear(welcome, subscribed(1, "snapshot", "harbin/player/ann"), rank(5, 5, 3), rank(5, 6, 2));
  }
  assert.deepEqual([me.states.length, ann.states.length], [2, 2]);
  me.topic.close();
  assert.deepEqual(node.requests.map(({ aborted }) => aborted), [true, false]);
});

test("a node that leaves is left when it said", async () => {
  await started();
  await node.request.hear({ type: "drain", reconnect_in_ms: 3000 });
  await node.pass(2999);
  assert.equal(node.requests.length, 1);
  await node.pass(1);
  await node.pass(0);
  assert.equal(node.requests.length, 2);
});

for (const [code, status] of [[4000, "offline"], [4004, "offline"], [4103, "closed"]]) {
  test(`the last event of code ${code} leaves it ${status}`, async () => {
    await started();
    await node.request.hear({ type: "closed", code, reason: "why" });
    assert.equal(node.statuses.at(-1), `${status} why`);
  });
}

test("a refusal closes its topic with the problem's code, and its loop with what the problem says", async () => {
  await node.connect({ WebSocket: null });
  const seen = node.watch();
  await settled();
  const refused = assert.rejects(seen.topic[Symbol.asyncIterator]().next(), { name: "WatchRefused", code: "board_unknown", message: "no such" });
  await node.request.refuse(404, { type: "about:blank", title: "Not Found", status: 404, code: "board_unknown", detail: "no such" });
  await refused;
  assert.equal(seen.statuses.at(-1), "closed board_unknown");
  assert.equal(node.live.status, "live");
});

test("a node without room is asked again when it said, and somebody else's error page soon", async () => {
  await node.connect({ WebSocket: null, chance: 0 });
  node.watch();
  await settled();
  await node.request.refuse(503, { code: "overloaded" }, { "Retry-After": "7" });
  await node.pass(6999);
  assert.equal(node.requests.length, 1);
  await node.pass(1);
  assert.equal(node.requests.length, 2);
  await node.request.refuse(404);
  await node.pass(0);
  assert.equal(node.requests.length, 3);
  await node.request.refuse(429, { code: "address_limit" }, { "Retry-After": "3600" });
  await node.pass(59_999);
  assert.equal(node.requests.length, 3);
  await node.pass(1);
  assert.equal(node.requests.length, 4);
});

test("a stream on which nothing comes is given up, though others live; comments are signs of life", async () => {
  await started({ chance: 0 });
  node.watch(node.live.player("harbin", "ann"));
  await settled();
  const [alive, silent] = node.requests;
  await silent.hear(welcome, subscribed(1, "snapshot", "harbin/player/ann"), rank(5, 5, 1));
  for (let beat = 1; beat < 3; beat += 1) {
    assert.equal(node.live.status, "live");
    await alive.write(":\n\n");
    await node.pass(HEARTBEAT_S * 1000);
  }
  assert.equal(node.live.status, "offline");
  assert.deepEqual([alive.aborted, silent.aborted], [true, true]);
});

test("a node that does not answer is given up", async () => {
  await node.connect({ WebSocket: null, chance: 0 });
  node.watch();
  await settled();
  await node.pass(ANSWER_MS);
  assert.ok(node.requests[0].aborted);
  await node.pass(0);
  assert.equal(node.requests.length, 2);
});

test("waking makes sure by new streams that lead on", async () => {
  const seen = await started();
  node.live.wake();
  await settled();
  assert.ok(node.requests[0].aborted);
  assert.equal(node.request.headers.get("last-event-id"), "7-5");
  await node.request.hear(welcome, subscribed(1, "resumed"));
  assert.deepEqual([seen.states.length, seen.topic.status], [1, "live"]);
});

test("an event without end is not kept for ever", async () => {
  await started();
  const part = "x".repeat(2 ** 20);
  let count = 0;
  while (!node.requests[0].aborted && count < 9) {
    await node.requests[0].write(part);
    count += 1;
  }
  assert.deepEqual([count, node.live.status], [4, "offline"]);
});

test("what comes along behind the last event is not heard", async () => {
  const seen = await started();
  const events = [{ type: "closed", code: 4000, reason: "why" }, delta(5, 6)];
  await node.request.write(events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join(""));
  assert.equal(seen.states.at(-1).version, 5);
  assert.deepEqual(node.statuses, ["live", "offline why"]);
});

test("closing ends every stream", async () => {
  const seen = await started();
  seen.topic.close();
  assert.ok(node.requests[0].aborted);
  node.watch();
  await settled();
  node.live.close();
  assert.ok(node.request.aborted);
  await node.pass(60_000);
  assert.equal(node.requests.length, 2);
});

test("the token is in the header of each request, never in its address", async () => {
  await node.connect({ WebSocket: null, token: async () => "abc.def" });
  node.watch();
  await settled();
  assert.equal(node.request.headers.get("authorization"), "Bearer abc.def");
  assert.ok(!node.request.url.href.includes("abc"));
  await node.request.hear(welcome, subscribed(1, "snapshot", TOPIC));
});

/** A page of the node's, loaded by this protocol, that watches one player more than there are streams over HTTP/1.1. */
async function crowded(protocol = "http/1.1") {
  globalThis.location = { href: "http://node/" };
  mock.method(performance, "getEntriesByType", () => [{ name: "http://node/web/client/live.js", nextHopProtocol: protocol }]);
  await node.connect({ WebSocket: null });
  const seen = Array.from({ length: FEW + 1 }, (_, at) => node.watch(node.live.player("harbin", `p${at}`)));
  await settled();
  return seen;
}

const led = (message) => `id: 7-${message.version}\ndata: ${JSON.stringify(message)}\n\n`;

/** The node answers, from another version where one leads on. */
async function telling(request, version = 5, from = version) {
  const topic = `harbin/player/${request.url.searchParams.get("player")}`;
  await request.hear(welcome, subscribed(1, from === version ? "snapshot" : "resumed", topic));
  await request.write(led({ ...rank(from, version, 1), topic }));
}

describe("in a browser", () => {
  afterEach(() => {
    delete globalThis.location;
  });

  test("over HTTP/1.1 what is watched beyond a few takes turns, and comes back for what it missed", async () => {
    const seen = await crowded();
    const playersAsked = () => node.requests.map(({ url }) => url.searchParams.get("player")).join(" ");
    assert.equal(playersAsked(), "p0 p1 p2 p3");
    // Who has not been told yet keeps its place.
    await node.pass(TURN_MS);
    assert.equal(playersAsked(), "p0 p1 p2 p3");
    for (const request of node.requests) await telling(request);
    await node.pass(TURN_MS);
    assert.equal(playersAsked(), "p0 p1 p2 p3 p4");
    assert.deepEqual(node.requests.map(({ aborted }) => aborted), [true, false, false, false, false]);
    await telling(node.request);
    await node.pass(TURN_MS);
    assert.equal(playersAsked(), "p0 p1 p2 p3 p4 p0");
    assert.equal(node.request.headers.get("last-event-id"), "7-5");
    await telling(node.request, 6, 5);
    assert.deepEqual(seen.map(({ states }) => states.map(({ version }) => version).join()), ["5,6", "5", "5", "5", "5"]);
    assert.deepEqual([node.statuses, seen[0].statuses], [["live"], ["live"]]);
  });

  test("one that is refused, or let go, makes room", async () => {
    const seen = await crowded();
    await node.requests[1].refuse(404, { code: "board_unknown" });
    assert.equal(node.requests.length, FEW + 1);
    node.watch(node.live.player("harbin", "late"));
    await settled();
    assert.equal(node.requests.length, FEW + 1);
    seen[0].topic.close();
    assert.equal(node.requests.length, FEW + 2);
    assert.equal(node.request.url.searchParams.get("player"), "late");
  });

  test("who waits for a turn is not taken for one who gets no answer", async () => {
    const seen = await crowded();
    for (let more = 0; more < 2 * (ANSWER_MS / TURN_MS); more += 1) seen.push(node.watch(node.live.player("harbin", `more${more}`)));
    for (let answered = 0; answered < seen.length; ) {
      while (answered < node.requests.length) await telling(node.requests[answered++]);
      await node.pass(TURN_MS);
    }
    assert.ok(node.time > ANSWER_MS);
    assert.ok(seen.every(({ states }) => states.length === 1));
    assert.deepEqual(node.statuses, ["live"]);
  });

  test("one that comes back keeps its place until it has been told again, however slow the node is", async () => {
    await crowded();
    for (const request of node.requests) await telling(request);
    for (let turn = 0; turn < 2 * FEW; turn += 1) await node.pass(TURN_MS);
    // All have made room but the one that waited, and none is asked twice before it is answered.
    const asked = node.requests.map(({ url }) => url.searchParams.get("player")).join(" ");
    assert.equal(asked, "p0 p1 p2 p3 p4 p0 p1 p2");
    assert.equal(node.requests.at(-1).aborted, false);
    // Quiet since: nothing but that it leads on.
    for (const request of node.requests.slice(4)) await request.hear(welcome, subscribed(1, "resumed", `harbin/player/${request.url.searchParams.get("player")}`));
    await node.pass(TURN_MS);
    assert.equal(node.request.url.searchParams.get("player"), "p3");
  });

  test("where other pages of the browser have taken the room, a page makes do with what is left", async () => {
    const seen = await crowded();
    seen.pop().topic.close();
    for (const request of node.requests.slice(0, 2)) await telling(request);
    for (let passed = 0; passed < 2 * ANSWER_MS; passed += TURN_MS) {
      await node.pass(TURN_MS);
      // Of those that are open two get through.
      const open = node.requests.filter(({ aborted }) => !aborted);
      for (const request of open.slice(0, 2)) if (!request.answered) await telling(request);
    }
    assert.deepEqual(node.statuses, ["live"]);
    assert.ok(seen.every(({ states }) => states.length >= 1));
  });

  test("over HTTP/2 there is a stream for each", async () => {
    await crowded("h2");
    assert.equal(node.requests.length, FEW + 1);
  });

  test("closing keeps nobody waiting", async () => {
    await crowded();
    node.live.close();
    await node.pass(TURN_MS);
    assert.equal(node.requests.length, FEW);
    assert.ok(node.requests.every(({ aborted }) => aborted));
  });
});
