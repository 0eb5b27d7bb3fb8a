// A node that the test holds in its hand, for one client: its sockets, its answers to fetch, a clock that the test turns.

import { mock } from "node:test";

import { connect } from "../../../web/client/live.js";

export const HEARTBEAT_S = 25;
export const TOPIC = "harbin/top/100";
export const ANN = { rank: 1, player: "ann", name: "Ann", score: 30, seq: 1 };
export const BOB = { rank: 2, player: "bob", name: "Bob", score: 20, seq: 2 };

export const welcome = { type: "welcome", heartbeat: HEARTBEAT_S, tick: 50 };
export const subscribed = (id = 1, mode = "snapshot", topic = TOPIC) => ({ type: "subscribed", id, topic, mode });
export const snapshot = (version, entries = [ANN, BOB], epoch = 7, topic = TOPIC) => ({
  type: "snapshot",
  topic,
  epoch,
  version,
  total: 2,
  ranks: "competition",
  limit: 100,
  entries,
});
export const delta = (from, to, ops = [], epoch = 7) => ({ type: "delta", topic: TOPIC, epoch, from, to, total: 2, ops });
export const check = (version, crc) => ({ type: "check", topic: TOPIC, epoch: 7, version, total: 9, crc });
export const rank = (from, version, place, more = {}) => ({
  type: "rank",
  topic: "harbin/player/ann",
  epoch: 7,
  from,
  version,
  rank: place,
  position: place === null ? null : place - 1,
  score: place === null ? null : 30,
  seq: place === null ? null : 1,
  of: 9,
  moved: 0,
  passed_by: [],
  ...more,
});

/** All that was promised by now is done. Only setTimeout and setInterval are the test's. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

class Socket {
  readyState = 1;
  /** @type {any[]} */
  said = [];
  closed = false;
  onmessage = null;
  onclose = null;

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
  }

  send(text) {
    this.said.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
  }

  async hear(...messages) {
    for (const message of messages) {
      this.onmessage?.({ data: JSON.stringify(message) });
      await settled();
    }
  }

  async lose(code, reason = "") {
    this.readyState = 3;
    this.onclose?.({ code, reason });
    await settled();
  }

  asked(op) {
    return this.said.filter((message) => message.op === op);
  }
}

class Request {
  answered = false;
  ended = false;
  aborted = false;
  /** @type {ReadableStreamDefaultController<Uint8Array>} */
  #body;

  constructor(url, { headers, signal }, answer) {
    Object.assign(this, { url: new URL(url), headers, answer });
    this.body = new ReadableStream({ start: (body) => void (this.#body = body) });
    signal.addEventListener("abort", () => {
      this.aborted = true;
      if (!this.ended) this.#body.error(signal.reason);
    });
  }

  async refuse(status, problem, headers = {}) {
    this.answer(new Response(problem && JSON.stringify(problem), { status, headers }));
    await settled();
  }

  /** @param {string | Uint8Array} text */
  async write(text) {
    if (!this.answered) this.answer(new Response(this.body, { headers: { "Content-Type": "text/event-stream" } }));
    this.answered = true;
    this.#body.enqueue(typeof text === "string" ? new TextEncoder().encode(text) : text);
    await settled();
  }

  async hear(...messages) {
    for (const message of messages) await this.write(`data: ${JSON.stringify(message)}\n\n`);
  }

  async end() {
    this.ended = true;
    if (!this.aborted) this.#body.close();
    await settled();
  }
}

export class Node {
  /** @type {Socket[]} */
  sockets = [];
  /** @type {Request[]} */
  requests = [];
  /** The connection's statuses, as they were told. */
  statuses = [];
  time = 0;
  live = null;

  constructor() {
    mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    mock.method(performance, "now", () => this.time);
    this.chance = 0.5;
    mock.method(Math, "random", () => this.chance);
  }

  /** Begin, by WebSocket unless the options say otherwise. */
  async connect({ chance = this.chance, ...options } = {}) {
    this.chance = chance;
    const node = this;
    const WebSocket = class extends Socket {
      constructor(url, protocol) {
        super(url, protocol);
        node.sockets.push(this);
      }
    };
    const fetch = (url, init) =>
      new Promise((resolve, reject) => {
        node.requests.push(new Request(url, init, resolve));
        init.signal.addEventListener("abort", () => reject(init.signal.reason));
      });
    this.live = connect("http://node", { WebSocket, fetch, ...options });
    this.live.on("status", (status, reason) => this.statuses.push(reason ? `${status} ${reason}` : status));
    await settled();
    return this.sockets[0];
  }

  get socket() {
    return this.sockets.at(-1);
  }

  get request() {
    return this.requests.at(-1);
  }

  /** Watch, and write down what is told. */
  watch(topic = this.live.top("harbin", { limit: 100 })) {
    const seen = { topic, states: [], causes: [], statuses: [], events: [] };
    topic.on("state", (state, cause) => {
      seen.states.push(state);
      seen.causes.push(cause);
    });
    topic.on("status", (status, reason) => seen.statuses.push(reason ? `${status} ${reason}` : status));
    topic.on("event", (message) => seen.events.push(message.type));
    return seen;
  }

  async pass(ms) {
    this.time += ms;
    mock.timers.tick(ms);
    await settled();
  }

  end() {
    this.live?.close();
    mock.timers.reset();
    mock.restoreAll();
  }
}
