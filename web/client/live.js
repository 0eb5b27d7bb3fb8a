/**
 * Boards as they change. `index.d.ts` tells all of it.
 *
 *     import { connect } from "./client/live.js";
 *     const live = connect("https://host", { token });   // text, or a function that is asked whenever one is due
 *     const top = live.top("arcade", { limit: 10 });     // player(board, player), around(board, player, { radius })
 *     top.on("state", ({ entries }) => draw(entries));   // or: for await (const board of top)
 *     top.on("status", (status, reason) => { });         // connecting, live, stale, offline, closed
 *     top.close();
 *
 * @module
 */

import { fullJitter } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { ANSWER_MS, openEvents } from "./events.js";
import { follow, standsAlone } from "./follow.js";
import { OutOfStep } from "./reducer.js";
import { openSocket } from "./socket.js";
import { LiveError, Topic, Watch } from "./watch.js";

/** @import { Options } from "./index.d.ts" */

/** A connection that held this long was a good one: the next loss starts from the shortest wait. */
export const STEADY_MS = 10_000;
/** A snapshot is asked for within this time, at random: a fault must not become a storm of them. */
export const RESYNC_MS = 1_000;
/** A node behind what was shown may catch up; after this long it is the board that began anew. */
export const BEHIND_MS = 10_000;

/** The same subscription may succeed later. */
const PASSING = /^(unavailable|overloaded|not_yet|rate_limited|internal|store_unavailable|ranking_(unavailable|refused))$/;

/** @type {typeof import("./index.d.ts").connect} */
export const connect = (url = "/", options = {}) => new Live(url, options);

export { LiveError };

class Live extends Emitter {
  /** @type {"connecting" | "live" | "offline" | "closed"} */
  status = "connecting";
  /** @type {string | null} */
  reason = null;
  quality = {
    transport: /** @type {"websocket" | "events" | null} */ (null),
    latency: /** @type {number | null} */ (null),
    reconnects: -1,
    resumed: 0,
    snapshots: 0,
    outOfStep: 0,
  };
  #options;
  #now;
  #random;
  /** @type {import("./socket.js").Link | null} */
  #link = null;
  /** @type {Map<number, Watch>} */
  #watches = new Map();
  #lastId = 0;
  #attempt = 0;
  /** The token is presented: questions may be asked. */
  #ready = false;
  #presented = false;
  #hadSocket = false;
  #openedAt = Infinity;
  /** When the node told us to come. @type {number | null} */
  #returnAt = null;
  /** @type {any} */
  #timer;

  /**
   * @param {string | URL} url
   * @param {Options} options
   */
  constructor(url, options) {
    super();
    const { href } = new URL(url, globalThis.location?.href);
    this.url = href.replace(/^ws/, "http").replace(/\/?(v1\/live\/?)?([?#].*)?$/, "");
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#listen("addEventListener");
    this.#connect();
  }

  /**
   * @param {string} board
   * @param {{limit?: number}} [options]
   */
  top(board, { limit = 10 } = {}) {
    return this.#join({ board, view: "top", limit });
  }

  player(board = "", player = "me") {
    return this.#join({ board, view: "player", player });
  }

  around(board = "", player = "me", { radius = 5 } = {}) {
    return this.#join({ board, view: "around", player, radius });
  }

  wake() {
    if (this.status === "closed") return;
    if (this.#link) {
      this.#link.wake();
      for (const watch of this.#watches.values()) if (!watch.waits) this.#ask(watch);
    } else if (this.#returnAt === null) {
      this.#attempt = 0;
      this.#connect();
    }
  }

  close() {
    this.#end(null);
  }

  // -- the page --------------------------------------------------------------------------------------------------------

  /** @param {"addEventListener" | "removeEventListener"} method */
  #listen(method) {
    for (const type of ["online", "offline", "pageshow"]) globalThis[method]?.(type, this.#onWake);
    globalThis.document?.[method]("visibilitychange", this.#onWake);
  }

  #onWake = (/** @type {any} */ { type, persisted }) => {
    if (type === "pageshow" ? persisted : globalThis.document?.visibilityState !== "hidden") this.wake();
  };

  // -- connections -----------------------------------------------------------------------------------------------------

  #connect() {
    clearTimeout(this.#timer);
    this.#returnAt = null;
    const { WebSocket = globalThis.WebSocket, fetch = globalThis.fetch } = this.#options;
    // Every other attempt goes the other way; rarely where a WebSocket has got through before.
    const socket = WebSocket && (this.#hadSocket ? this.#attempt % 4 < 3 : this.#attempt % 2 === 0);
    this.#attempt += 1;
    this.quality.transport = socket ? "websocket" : "events";
    const ears = {
      hear: (/** @type {any} */ message) => this.#hear(message),
      lost: (/** @type {number} */ code, reason = "", wait = 0) => this.#lost(code, reason, wait),
      measured: (/** @type {number} */ ms) => {
        this.quality.latency = ms;
        this.emit("quality", this.quality);
      },
      now: this.#now,
    };
    if (socket) {
      try {
        this.#link = openSocket(this.url, WebSocket, ears);
      } catch {
        this.#lost(1006);
      }
    } else {
      this.#link = openEvents(this.url, fetch.bind(globalThis), ears);
      this.#begin();
    }
  }

  /** Present the token, then ask for everything. */
  async #begin() {
    const link = this.#link;
    if (!(await this.#present()) || link !== this.#link) return;
    this.#ready = true;
    for (const watch of this.#watches.values()) this.#ask(watch);
  }

  async #present() {
    const { token } = this.#options;
    const link = this.#link;
    let given = token;
    if (typeof token === "function") {
      const patience = setTimeout(() => this.#drop("token_failed", link), ANSWER_MS);
      try {
        given = await token();
      } catch {
        this.#drop("token_failed", link);
      }
      clearTimeout(patience);
    }
    if (link !== this.#link) return false;
    this.#presented = !!given;
    if (given) link?.send({ op: "auth", token: given });
    return true;
  }

  #drop(reason = "", link = this.#link) {
    if (!link || link !== this.#link) return;
    link.close();
    this.#lost(1006, reason);
  }

  #lost(code = 1006, reason = "", wait = 0) {
    this.#forget();
    // 4100 to 4199 do not come back, nor does whoever broke the protocol: it breaks it again.
    if ((code >= 4100 && code < 4200) || code === 1002 || code === 1007) return this.#end(reason || String(code));
    const now = this.#now();
    if (now - this.#openedAt >= STEADY_MS) this.#attempt = 0;
    this.#openedAt = Infinity;
    if (this.#returnAt !== null) wait = Math.max(0, this.#returnAt - now);
    if (this.#returnAt === null || this.#attempt > 1) wait += fullJitter(Math.max(0, this.#attempt - 1), this.#random);
    this.#timer = setTimeout(() => this.#connect(), wait);
    if (this.status === "live" || this.#attempt > 1) this.#tell("offline", reason || null);
  }

  #forget() {
    this.#link = null;
    this.#ready = this.#presented = false;
    this.quality.transport = this.quality.latency = null;
    clearTimeout(this.#timer);
    for (const watch of this.#watches.values()) {
      clearTimeout(watch.timer);
      watch.topic = null;
      watch.asked = watch.proved = false;
      watch.waits = true;
      if (!watch.topics.size) this.#watches.delete(watch.id);
    }
  }

  /** @param {string | null} reason an error's, where it is one */
  #end(reason) {
    if (this.status === "closed") return;
    this.#listen("removeEventListener");
    this.#link?.close();
    this.#forget();
    this.#tell("closed", reason);
    for (const watch of this.#watches.values()) this.#fail(watch, reason);
  }

  /**
   * @param {Live["status"]} status
   * @param {string | null} reason
   */
  #tell(status, reason = null) {
    if (status !== this.status || reason !== this.reason) {
      this.status = status;
      this.reason = reason;
      this.emit("status", status, reason);
    }
    for (const watch of this.#watches.values()) this.#tellOf(watch);
  }

  // -- what the node says ----------------------------------------------------------------------------------------------

  /** @param {any} message */
  #hear(message) {
    if (this.#openedAt === Infinity) {
      this.#openedAt = this.#now();
      this.quality.reconnects += 1;
      this.#tell("live");
    }
    switch (message.type) {
      case "welcome":
        if (this.quality.transport === "websocket") {
          this.#hadSocket = true;
          this.#begin();
        }
        return;
      case "authenticated":
        this.#presented = false;
        return;
      case "drain":
        if (this.#returnAt !== null) return;
        this.#returnAt = this.#now() + message.reconnect_in_ms;
        this.#timer = setTimeout(() => this.#drop(), message.reconnect_in_ms);
        return;
      case "subscribed":
        this.#subscribed(message);
        return;
      case "unsubscribed":
        // One that was asked for under two names was let go under one of them.
        for (const watch of this.#of(message, true)) this.#again(watch, 0);
        return;
      case "error":
        this.#refused(message);
        return;
      case "snapshot":
      case "delta":
      case "check":
      case "rank":
      case "stale":
      case "fresh":
        for (const watch of this.#of(message)) this.#take(watch, message);
    }
  }

  /**
   * @param {any} message
   * @param {boolean} [byTopic]
   * @returns {Watch[]} more than one where a player is watched as `me`, too
   */
  #of({ id, topic }, byTopic) {
    return [...this.#watches.values()].filter((watch) => (id && !byTopic ? watch.id === id : topic && watch.topic === topic));
  }

  /** @param {any} message */
  #subscribed({ id, topic, mode }) {
    const watch = this.#watches.get(id);
    if (!watch) return;
    watch.topic = topic;
    watch.asked = false;
    if (!watch.topics.size) this.#unwatch(watch);
    else if (mode === "snapshot") this.quality.snapshots += 1;
    else if (watch.inStep && watch.held.topic === topic) {
      this.quality.resumed += 1;
      this.#proved(watch);
      // Whether the ranking is away is said anew.
      if (watch.held.asOf !== null) this.#show(watch, { ...watch.held, asOf: null }, mode);
    } else this.#outOfStep(watch);
  }

  /**
   * @param {Watch} watch
   * @param {import("./index.d.ts").Message} message
   */
  #take(watch, message) {
    const alone = standsAlone(message);
    if (watch.waits && !alone) return;
    let held;
    try {
      held = follow(watch.held, message);
    } catch (error) {
      if (error instanceof OutOfStep) return this.#outOfStep(watch);
      throw error;
    }
    if (alone) {
      const { epoch, version } = watch.held ?? {};
      if (held.epoch === epoch && held.version < version && this.#now() < (watch.behind ??= this.#now()) + BEHIND_MS) {
        return this.#again(watch, RESYNC_MS * this.#random());
      }
      watch.inStep = true;
      this.#proved(watch);
    }
    if (held !== watch.held) this.#show(watch, held, message.type);
    for (const topic of watch.topics) topic.emit("event", message);
  }

  /** @param {Watch} watch */
  #proved(watch) {
    clearTimeout(watch.timer);
    watch.waits = false;
    watch.proved = true;
    watch.behind = watch.reason = null;
    watch.attempt = 0;
    this.#tellOf(watch);
  }

  /** @param {any} error */
  #refused(error) {
    const { code, id, topic } = error;
    const passes = PASSING.test(code);
    if (code === "token_expiring") {
      // Without a new one the node closes the connection, and the next one asks again. A request keeps its token.
      if (typeof this.#options.token === "function" && this.quality.transport === "websocket") this.#present();
    } else if (id === undefined && !topic) {
      // What was asked with the token would be refused, too.
      if (code === "unauthenticated") this.#end(code);
      else if (passes && this.#presented) this.#drop(code);
    }
    else for (const watch of this.#of(error)) {
      watch.topic = null;
      watch.asked = false;
      if (!passes || !watch.topics.size) this.#fail(watch, code, error.message);
      else {
        watch.reason = code;
        this.#again(watch, fullJitter(watch.attempt++, this.#random));
      }
    }
  }

  // -- watches ---------------------------------------------------------------------------------------------------------

  /**
   * @param {Record<string, unknown>} request
   * @returns {any}
   */
  #join(request) {
    const wish = JSON.stringify(request);
    let watch = [...this.#watches.values()].find((one) => JSON.stringify(one.request) === wish);
    if (!watch) this.#watches.set(++this.#lastId, (watch = new Watch(this.#lastId, request)));
    const joined = watch;
    const topic = new Topic(() => {
      if (joined.topics.delete(topic) && !joined.topics.size) this.#unwatch(joined);
    });
    joined.topics.add(topic);
    if (this.status === "closed") this.#fail(joined, this.reason);
    else {
      if (joined.proved) topic.show(joined.held, "snapshot");
      this.#tellOf(joined);
      if (joined.topics.size === 1 && !joined.asked) this.#ask(joined);
    }
    return topic;
  }

  /** @param {Watch} watch */
  #ask(watch) {
    clearTimeout(watch.timer);
    if (!this.#ready || !watch.topics.size) return;
    watch.waits = watch.asked = true;
    watch.timer = setTimeout(() => this.#drop(), ANSWER_MS);
    this.#link?.send({ op: "subscribe", id: watch.id, ...watch.request, resume: this.#resume(watch) });
  }

  /**
   * One watch of a topic leads on: for the next the node would repeat it to both.
   * @param {Watch} watch
   */
  #resume({ id, held, inStep }) {
    const first = [...this.#watches.values()].find((one) => one.inStep && one.held.topic === held?.topic);
    return inStep && first?.id === id ? { epoch: held.epoch, version: held.version } : undefined;
  }

  /** @param {Watch} watch */
  #outOfStep(watch) {
    this.quality.outOfStep += 1;
    watch.inStep = false;
    this.#again(watch, RESYNC_MS * this.#random());
  }

  /**
   * @param {Watch} watch
   * @param {number} wait milliseconds
   */
  #again(watch, wait) {
    clearTimeout(watch.timer);
    watch.waits = true;
    watch.proved = watch.asked = false;
    watch.timer = setTimeout(() => this.#ask(watch), wait);
    this.#tellOf(watch);
  }

  /**
   * @param {Watch} watch
   * @param {any} held
   * @param {string} cause
   */
  #show(watch, held, cause) {
    watch.held = held;
    for (const topic of watch.topics) topic.show(held, cause);
    this.#tellOf(watch);
  }

  /** @param {Watch} watch */
  #tellOf({ topics, held, proved, reason }) {
    for (const topic of topics) {
      if (this.status !== "live") topic.tell(this.status, this.reason);
      else if (!held) topic.tell("connecting", reason);
      else if (!proved) topic.tell("stale", reason ?? "resync");
      else if (held.asOf !== null) topic.tell("stale", "ranking_away");
      else topic.tell("live", null);
    }
  }

  /**
   * @param {Watch} watch
   * @param {string | null} code
   * @param {string} [message]
   */
  #fail(watch, code, message) {
    clearTimeout(watch.timer);
    this.#watches.delete(watch.id);
    for (const topic of watch.topics) {
      if (code) topic.error = new LiveError(code, message);
      topic.tell("closed", code);
    }
  }

  /** @param {Watch} watch */
  #unwatch(watch) {
    const { id, topic } = watch;
    const events = this.quality.transport === "events";
    // Only the answer tells the topic.
    if (watch.asked && !events) return;
    clearTimeout(watch.timer);
    this.#watches.delete(id);
    if (events || (topic && !this.#of({ topic }).length)) this.#link?.send({ op: "unsubscribe", id, topic });
  }
}
