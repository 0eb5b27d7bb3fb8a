/** Boards as they change; `README.md` and `index.d.ts` tell all of it. @module */

import { ANSWER_MS, openEvents } from "./events.js";
import { follow, OutOfStep, standsAlone } from "./reducer.js";
import { openSocket, SOON_MS } from "./socket.js";
import { Emitter, LiveError, Topic } from "./topic.js";

export { LiveError };

/** @typedef {import("./inside.js").Watch} Watch */

/** What held so long was good: the waits are short again. */
export const STEADY_MS = 10_000;
/** Within this a snapshot is asked for, at random: a fault must not become a storm. */
export const RESYNC_MS = 1_000;
/** So long a node may be behind what was shown; then the board has begun anew. */
export const BEHIND_MS = 10_000;
export const BASE_MS = 500;
export const CAP_MS = 15_000;

/** The same may succeed later. */
const PASSING = /available|overloaded|not_yet|internal|ranking_|rate_/;

/** Full jitter: clients do not return as one herd. @param {number} attempt */
const jitter = (attempt) => Math.random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt);

/** @type {typeof import("./index.d.ts").connect} */
export const connect = (url = "/", options = {}) => new Live(url, options);

class Live extends Emitter {
  quality = /** @type {any} */ ({ transport: null, latency: null, reconnects: -1, resumed: 0, snapshots: 0, outOfStep: 0 });
  #options;
  #link = /** @type {import("./inside.js").Link | null} */ (null);
  #watches = /** @type {Set<Watch>} */ (new Set());
  #lastId = 0;
  #attempt = 0;
  /** The token is presented: questions may be asked. */
  #ready = false;
  #hadSocket = false;
  #openedAt = Infinity;
  /** When a node that leaves told us to come. */
  #returnAt = 0;
  #timer = /** @type {any} */ (0);
  #page = new AbortController();

  /** @param {string | URL} url @param {import("./index.d.ts").Options} options */
  constructor(url, options) {
    super();
    const { href } = new URL(url, globalThis.location?.href);
    this.url = href.replace(/^ws/, "http").replace(/\/?(v1\/live\/?)?([?#].*)?$/, "");
    this.#options = options;
    const wake = () => globalThis.document?.visibilityState !== "hidden" && this.wake();
    for (const type of ["online", "offline", "pageshow", "visibilitychange"]) {
      globalThis.addEventListener?.(type, wake, this.#page);
    }
    this.#connect();
  }

  /** @param {string} board */
  top(board, { limit = 10 } = {}) {
    return this.#join({ board, view: "top", limit });
  }

  /** @param {string} board */
  player(board, player = "me") {
    return this.#join({ board, view: "player", player });
  }

  /** @param {string} board */
  around(board, player = "me", { radius = 5 } = {}) {
    return this.#join({ board, view: "around", player, radius });
  }

  wake() {
    if (this.#link) {
      for (const watch of this.#watches) if (!watch.waits) this.#ask(watch, SOON_MS);
    } else if (!this.#returnAt && this.status !== "closed") {
      this.#attempt = 0;
      this.#connect();
    }
  }

  close() {
    this.#end();
  }

  // -- connections

  #connect() {
    clearTimeout(this.#timer);
    this.#returnAt = 0;
    const { WebSocket = globalThis.WebSocket, fetch = globalThis.fetch } = this.#options;
    // Every other attempt goes the other way; every fourth where a WebSocket has got through before.
    const socket = WebSocket && (this.#hadSocket ? this.#attempt % 4 < 3 : this.#attempt % 2 < 1);
    this.#attempt += 1;
    this.quality.transport = socket ? "websocket" : "events";
    /** @type {import("./inside.js").Ears} */
    const ears = { hear: (message) => this.#hear(message), lost: (...told) => this.#lost(...told) };
    try {
      this.#link = socket ? openSocket(this.url, WebSocket, ears) : openEvents(this.url, fetch.bind(globalThis), ears);
      if (!socket) this.#present();
    } catch {
      this.#lost();
    }
  }

  async #present() {
    const link = this.#link;
    // While the last one holds the node ends the connection in time, and the next asks again.
    const fail = () => this.#ready || link !== this.#link || this.#lost(1006, "token_failed");
    const patience = setTimeout(fail, ANSWER_MS);
    let { token } = this.#options;
    try {
      if (typeof token === "function") token = await token();
    } catch {
      fail();
    }
    clearTimeout(patience);
    if (link !== this.#link) return;
    if (token) link?.send({ op: "auth", token });
    if (this.#ready) return;
    this.#ready = true;
    for (const watch of this.#watches) this.#ask(watch);
  }

  #lost(code = 1006, reason = "", wait = 0) {
    this.#forget();
    // 4100 to 4199 do not come back, nor does whoever broke the protocol.
    if ((code >= 4100 && code < 4200) || code === 1002 || code === 1007) return this.#end(reason || `${code}`);
    const now = performance.now();
    if (now - this.#openedAt >= STEADY_MS) this.#attempt = 0;
    this.#openedAt = Infinity;
    wait = Math.max(wait, this.#returnAt - now);
    if (!this.#returnAt || this.#attempt > 1) wait += jitter(Math.max(0, this.#attempt - 1));
    this.#timer = setTimeout(() => this.#connect(), wait);
    if (this.status === "live" || this.#attempt > 1) this.#tell("offline", reason);
  }

  #forget() {
    this.#link?.close();
    this.#link = this.quality.transport = this.quality.latency = null;
    this.#ready = false;
    clearTimeout(this.#timer);
    for (const watch of this.#watches) {
      clearTimeout(watch.timer);
      watch.topic = undefined;
      watch.asked = watch.proved = false;
    }
  }

  #end(reason = "", message = reason) {
    this.#page.abort();
    this.#forget();
    this.#tell("closed", reason);
    if (reason) this.error ??= new LiveError(reason, message);
    for (const watch of this.#watches) this.#fail(watch, this.error);
  }

  /** @type {(status: Live["status"], reason?: string) => void} */
  #tell(status, reason) {
    this.tell(status, reason);
    for (const watch of this.#watches) this.#tellOf(watch);
  }

  // -- what the node says

  /** @param {any} message */
  #hear(message) {
    const { type, id, topic, code } = message;
    if (this.#openedAt === Infinity) {
      this.#openedAt = performance.now();
      this.quality.reconnects += 1;
      this.#tell("live");
    }
    if (type === "welcome" && this.#bySocket) {
      this.#hadSocket = true;
      this.#present();
    } else if (type === "pong") {
      this.quality.latency = message.after;
      this.emit("quality", this.quality);
    } else if (type === "drain" && !this.#returnAt) {
      this.#returnAt = performance.now() + message.reconnect_in_ms;
      this.#timer = setTimeout(() => this.#lost(), message.reconnect_in_ms);
    } else if (code === "token_expiring" || (type === "error" && !id && !topic)) this.#refused(message);
    // More than one where a player is watched as `me`, too.
    else for (const watch of this.#watches) if (id ? id === watch.id : topic && topic === watch.topic) this.#take(watch, message);
  }

  get #bySocket() {
    return this.quality.transport === "websocket";
  }

  /** Of the token, or of the connection. @param {any} error */
  #refused({ code, message }) {
    if (code === "token_expiring") {
      // A request keeps its token.
      if (this.#bySocket && typeof this.#options.token === "function") this.#present();
    }
    // What was asked with the token would be refused, too.
    else if (code === "unauthenticated") this.#end(code, message);
    else if (PASSING.test(code) && code !== "rate_limited") this.#lost(1006, code);
  }

  /** @type {(watch: Watch, message: any) => void} */
  #take(watch, message) {
    const { type, topic, mode, code } = message;
    if (type === "subscribed") this.#subscribed(watch, topic, mode);
    // Asked for under two names, let go under one.
    else if (type === "unsubscribed") this.#again(watch, 0);
    else if (type === "error") {
      watch.topic = undefined;
      watch.reason = code;
      if (PASSING.test(code)) this.#again(watch, jitter(watch.attempt++));
      else this.#fail(watch, new LiveError(code, message.message));
    } else if (/snapshot|delta|check|rank|stale|fresh/.test(type)) this.#follow(watch, message);
  }

  /** @type {(watch: Watch, topic: string, mode: string) => void} */
  #subscribed(watch, topic, mode) {
    const { held } = watch;
    watch.topic = topic;
    watch.asked = false;
    if (!watch.topics.size) this.#leave(watch);
    else if (mode === "snapshot") this.quality.snapshots += 1;
    else if (watch.inStep && held.topic === topic) {
      this.quality.resumed += 1;
      // Whether the ranking is away is said anew.
      this.#prove(watch, held.asOf === null ? held : { ...held, asOf: null }, mode);
    } else this.#resync(watch);
  }

  /** @type {(watch: Watch, message: any) => void} */
  #follow(watch, message) {
    const { held } = watch;
    const alone = standsAlone(message);
    if (watch.waits && !alone) return;
    let next;
    try {
      next = follow(held, message);
    } catch (error) {
      if (error instanceof OutOfStep) return this.#resync(watch);
      throw error;
    }
    const now = performance.now();
    if (alone && next.epoch === held?.epoch && next.version < held.version && now < (watch.patience ||= now + BEHIND_MS)) {
      return this.#again(watch, RESYNC_MS * Math.random());
    }
    this.#prove(watch, next, message.type);
    for (const topic of watch.topics) topic.emit("event", message);
  }

  // -- what is watched

  /** @type {(request: any) => any} */
  #join(request) {
    const wish = JSON.stringify(request);
    const same = [...this.#watches].find((one) => one.wish === wish);
    /** @type {Watch} */
    const watch = same ?? { id: ++this.#lastId, wish, request, topics: new Set(), waits: true, reason: null, attempt: 0, patience: 0 };
    const topic = new Topic(() => {
      if (watch.topics.delete(topic) && !watch.topics.size) this.#leave(watch);
    });
    this.#watches.add(watch);
    watch.topics.add(topic);
    if (watch.proved) topic.show(watch.held, "snapshot");
    if (this.status === "closed") this.#fail(watch, this.error);
    else if (watch.topics.size < 2 && !watch.asked) this.#ask(watch);
    this.#tellOf(watch);
    return topic;
  }

  /** @param {Watch} watch */
  #ask(watch, patience = ANSWER_MS) {
    clearTimeout(watch.timer);
    if (!watch.topics.size) this.#watches.delete(watch);
    if (!this.#ready || !watch.topics.size) return;
    watch.waits = watch.asked = true;
    watch.timer = setTimeout(() => this.#lost(), patience + (this.#link?.wait ?? 0));
    const { id, held } = watch;
    // One watch of a topic leads on: for another the node would repeat it to both.
    const first = [...this.#watches].find((one) => one.inStep && one.held.topic === held?.topic);
    const resume = first === watch ? { epoch: held.epoch, version: held.version } : undefined;
    this.#link?.send({ op: "subscribe", id, ...watch.request, resume });
  }

  /** @param {Watch} watch */
  #resync(watch) {
    this.quality.outOfStep += 1;
    watch.inStep = false;
    this.#again(watch, RESYNC_MS * Math.random());
  }

  /** @type {(watch: Watch, wait: number) => void} */
  #again(watch, wait) {
    clearTimeout(watch.timer);
    watch.waits = true;
    watch.proved = watch.asked = false;
    watch.timer = setTimeout(() => this.#ask(watch), wait);
    this.#tellOf(watch);
  }

  /** @type {(watch: Watch, held: any, cause: string) => void} */
  #prove(watch, held, cause) {
    clearTimeout(watch.timer);
    const isNew = held !== watch.held;
    Object.assign(watch, { held, inStep: true, proved: true, waits: false, reason: null, attempt: 0, patience: 0 });
    if (isNew) for (const topic of watch.topics) topic.show(held, cause);
    this.#tellOf(watch);
  }

  /** @param {Watch} watch */
  #tellOf({ topics, held, proved, reason }) {
    for (const topic of topics) {
      if (this.status !== "live") topic.tell(this.status, this.reason);
      else if (!held) topic.tell("connecting", reason);
      else if (!proved) topic.tell("stale", reason ?? "resync");
      else if (held.asOf !== null) topic.tell("stale", "ranking_away");
      else topic.tell("live");
    }
  }

  /** @type {(watch: Watch, error: LiveError | null) => void} */
  #fail(watch, error) {
    clearTimeout(watch.timer);
    this.#watches.delete(watch);
    for (const topic of watch.topics) {
      topic.error = error;
      topic.tell("closed", error?.code);
    }
  }

  /** @param {Watch} watch */
  #leave(watch) {
    const { id, topic, asked } = watch;
    // Only the answer tells the topic.
    if (asked && this.#bySocket) return;
    clearTimeout(watch.timer);
    this.#watches.delete(watch);
    if (!this.#bySocket) this.#link?.send({ op: "unsubscribe", id });
    else if (topic && ![...this.#watches].some((one) => one.topic === topic)) this.#link?.send({ op: "unsubscribe", topic });
  }
}
