/**
 * One connection to a Rankcast node, and the topics watched over it.
 *
 * It comes back by itself, asks for a snapshot whenever what it holds may not be the truth, and never hands out a
 * list that it does not know to be one version of the board. Works wherever there is a `WebSocket`.
 *
 * @module
 */

import { fullJitter } from "./backoff.js";
import { applyCheck, applyDelta, fromSnapshot, OutOfStep } from "./reducer.js";
import { Watch } from "./watch.js";

/** @typedef {import("./watch.js").Handlers} Handlers */

/**
 * connecting: never been there; open: the node answers; reconnecting: lost, coming back; closed: will not come back.
 * @typedef {"connecting" | "open" | "reconnecting" | "closed"} Status
 */

/**
 * @typedef {object} Options
 * @property {typeof WebSocket} [WebSocket]
 * @property {() => number} [random]
 * @property {() => number} [now] monotonic milliseconds
 * @property {(status: Status) => void} [onStatus]
 */

export const PROTOCOL = "rankcast.v1.json";

/** Until the node has said `welcome`, or has answered what we asked. */
export const ANSWER_MS = 10_000;
/** A tab that wakes wants to know sooner. */
export const WAKE_MS = 4_000;
/** A connection that held this long was a good one: the next loss starts from the shortest wait. */
export const STEADY_MS = 10_000;
/** Between two resynchronisations of one topic. */
export const RESYNC_MS = 1_000;

/** Errors that pass: the same subscription may succeed later. */
const PASSING = new Set([
  "unavailable",
  "overloaded",
  "rate_limited",
  "internal",
  "store_unavailable",
  "ranking_unavailable",
]);

/** Whoever breaks the protocol's own rules breaks them again. */
const BROKEN = [1002, 1007];

/**
 * 4100–4199 do not come back, nor does who broke the protocol; everything else does.
 * @param {number} code
 */
const isFinal = (code) => (code >= 4100 && code <= 4199) || BROKEN.includes(code);

export class Live {
  /** @type {Status} */
  #status = "connecting";
  #url;
  #WebSocket;
  #random;
  #now;
  #onStatus;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Map<number, Watch>} */
  #watches = new Map();
  /** @type {Map<string, Watch>} */
  #topics = new Map();
  #lastId = 0;
  #attempt = 0;
  #openedAt = Infinity;
  #heartbeat = ANSWER_MS;
  /** @type {number | null} */
  #returnAt = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #watchdog;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #drain;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pings;

  /**
   * @param {string | URL} url of `/v1/live`, `ws:` or `wss:`
   * @param {Options} [options]
   */
  constructor(url, options = {}) {
    this.#url = String(url);
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
    this.#random = options.random ?? Math.random;
    this.#now = options.now ?? (() => performance.now());
    this.#onStatus = options.onStatus ?? (() => {});
    globalThis.addEventListener?.("online", this.#onOnline);
    globalThis.document?.addEventListener("visibilitychange", this.#onVisible);
    this.#connect();
  }

  get status() {
    return this.#status;
  }

  /**
   * @param {string} board
   * @param {10 | 25 | 50 | 100} limit rows from the first
   * @param {Handlers} handlers
   * @returns {() => void} ends the watch
   */
  watchTop(board, limit, handlers) {
    this.#lastId += 1;
    const watch = new Watch(this.#lastId, { board, view: "top", limit }, handlers);
    this.#watches.set(watch.id, watch);
    if (this.#status === "open") this.#subscribe(watch);
    return () => this.#unwatch(watch);
  }

  /** Ask again for everything now: the page was hidden, the machine slept, the network is back. */
  wake() {
    if (this.#status === "closed") return;
    if (this.#status !== "open") {
      this.#attempt = 0;
      // A connection that is being made is left to its own time-out.
      if (this.#socket === null) this.#connect();
      return;
    }
    for (const watch of this.#watches.values()) this.#subscribe(watch);
    this.#send({ op: "ping" });
    this.#expectWord(WAKE_MS);
  }

  /** End the connection and everything watched over it. */
  close() {
    globalThis.removeEventListener?.("online", this.#onOnline);
    globalThis.document?.removeEventListener("visibilitychange", this.#onVisible);
    const socket = this.#forgetSocket();
    clearTimeout(this.#retry);
    this.#watches.clear();
    this.#setStatus("closed");
    socket?.close(1000);
  }

  #onOnline = () => this.wake();

  #onVisible = () => {
    if (globalThis.document?.visibilityState === "visible") this.wake();
  };

  /** @param {Status} status */
  #setStatus(status) {
    if (status === this.#status) return;
    this.#status = status;
    this.#onStatus(status);
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#returnAt = null;
    const socket = new this.#WebSocket(this.#url, PROTOCOL);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#hear(data);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) this.#lost(code);
    };
    this.#expectWord(ANSWER_MS);
  }

  /**
   * The socket's own close can take minutes on a network that is gone, so nothing waits for it.
   * @returns {WebSocket | null}
   */
  #forgetSocket() {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#watchdog);
    clearTimeout(this.#drain);
    clearInterval(this.#pings);
    this.#topics.clear();
    for (const watch of this.#watches.values()) {
      clearTimeout(watch.timer);
      if (watch.ended) this.#watches.delete(watch.id);
      watch.topic = null;
      watch.asked = false;
    }
    return socket;
  }

  #drop() {
    const socket = this.#socket;
    this.#lost(1006);
    socket?.close();
  }

  /** @param {number} code */
  #lost(code) {
    this.#forgetSocket();
    if (isFinal(code)) {
      this.#setStatus("closed");
      return;
    }
    const held = this.#now() - this.#openedAt;
    this.#openedAt = Infinity;
    if (held >= STEADY_MS) this.#attempt = 0;
    const wait = this.#returnAt === null ? fullJitter(this.#attempt, this.#random) : this.#returnAt - this.#now();
    if (this.#returnAt === null) this.#attempt += 1;
    this.#setStatus(this.#status === "connecting" ? "connecting" : "reconnecting");
    this.#retry = setTimeout(() => this.#connect(), Math.max(0, wait));
  }

  /**
   * Whatever the node says next proves that it is there; silence means that it is not.
   * @param {number} within milliseconds
   */
  #expectWord(within) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#drop(), within);
  }

  /** @param {unknown} data */
  #hear(data) {
    this.#expectWord(this.#heartbeat * 2);
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      this.#drop();
      return;
    }
    this.#take(message);
  }

  /** @param {any} message */
  #take(message) {
    switch (message.type) {
      case "welcome":
        this.#welcomed(message.heartbeat * 1000);
        return;
      case "subscribed":
        this.#subscribed(message);
        return;
      case "snapshot":
      case "delta":
      case "check":
        this.#follow(message);
        return;
      case "stale":
      case "fresh":
        this.#topics.get(message.topic)?.handlers.onStale?.(message.type === "stale" ? message.as_of : null);
        return;
      case "drain":
        this.#drained(message.reconnect_in_ms);
        return;
      case "error":
        this.#refused(message);
        return;
      default: // A pong has done its work by being heard; what a newer node says besides is not for us.
    }
  }

  /** @param {number} heartbeat milliseconds */
  #welcomed(heartbeat) {
    this.#openedAt = this.#now();
    this.#heartbeat = heartbeat;
    this.#expectWord(heartbeat * 2);
    this.#pings = setInterval(() => this.#send({ op: "ping" }), heartbeat);
    this.#setStatus("open");
    for (const watch of this.#watches.values()) this.#subscribe(watch);
  }

  /** @param {Watch} watch */
  #subscribe(watch) {
    clearTimeout(watch.timer);
    watch.asked = true;
    watch.waiting = true;
    watch.askedAt = this.#now();
    this.#send({ op: "subscribe", id: watch.id, ...watch.request });
    // A node that answers pings and never this question is no use either.
    watch.timer = setTimeout(() => this.#drop(), ANSWER_MS);
  }

  /** @param {{id: number, topic: string}} message */
  #subscribed({ id, topic }) {
    const watch = this.#watches.get(id);
    if (watch === undefined) return;
    watch.asked = false;
    watch.topic = topic;
    if (watch.ended) this.#unwatch(watch);
    else this.#topics.set(topic, watch);
  }

  /** @param {import("./reducer.js").Snapshot | import("./reducer.js").Delta | import("./reducer.js").Check} message */
  #follow(message) {
    const watch = this.#topics.get(message.topic);
    if (watch === undefined) return;
    if (message.type === "snapshot") {
      clearTimeout(watch.timer);
      watch.waiting = false;
      watch.attempt = 0;
      watch.state = fromSnapshot(message);
    } else {
      if (watch.waiting || watch.state === null) return;
      try {
        watch.state =
          message.type === "delta" ? applyDelta(watch.state, message) : applyCheck(watch.state, message);
      } catch (error) {
        if (!(error instanceof OutOfStep)) throw error;
        this.#resynchronise(watch);
        return;
      }
    }
    watch.handlers.onState(watch.state, message.type);
  }

  /**
   * At most once in RESYNC_MS, so that a fault on either side cannot become a storm of snapshots.
   * @param {Watch} watch
   */
  #resynchronise(watch) {
    watch.waiting = true;
    const wait = Math.max(0, watch.askedAt + RESYNC_MS - this.#now());
    if (wait === 0) {
      this.#subscribe(watch);
      return;
    }
    clearTimeout(watch.timer);
    watch.timer = setTimeout(() => this.#subscribe(watch), wait);
  }

  /** @param {number} wait milliseconds until this client is expected elsewhere */
  #drained(wait) {
    this.#returnAt = this.#now() + wait;
    this.#drain = setTimeout(() => this.#drop(), wait);
  }

  /**
   * A question was refused (`id`), or a topic has ended (`topic`).
   * @param {{id?: number, topic?: string, code: string, message: string}} error
   */
  #refused({ id, topic, code, message }) {
    const watch = this.#topics.get(topic ?? "") ?? this.#watches.get(id ?? -1);
    if (watch === undefined) return;
    clearTimeout(watch.timer);
    watch.asked = false;
    if (watch.topic !== null) this.#topics.delete(watch.topic);
    watch.topic = null;
    if (watch.ended) {
      this.#watches.delete(watch.id);
      return;
    }
    if (PASSING.has(code)) {
      watch.timer = setTimeout(() => this.#subscribe(watch), fullJitter(watch.attempt, this.#random));
      watch.attempt += 1;
    }
    watch.handlers.onError?.(code, message);
  }

  /** @param {Watch} watch */
  #unwatch(watch) {
    clearTimeout(watch.timer);
    watch.ended = true;
    if (watch.asked) return;
    this.#watches.delete(watch.id);
    if (watch.topic === null || this.#wanted(watch)) return;
    this.#topics.delete(watch.topic);
    this.#send({ op: "unsubscribe", id: watch.id, topic: watch.topic });
  }

  /**
   * A topic exists once on a connection: whoever asked for it again keeps it.
   * @param {Watch} ended
   */
  #wanted(ended) {
    const wish = JSON.stringify(ended.request);
    return [...this.#watches.values()].some((watch) => !watch.ended && JSON.stringify(watch.request) === wish);
  }

  /** @param {Record<string, unknown>} message */
  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }
}
