/**
 * What is watched: asked for once, whatever the number of those who look.
 *
 * @module
 */

import { Emitter } from "./emitter.js";
import { since } from "./player.js";

/** @import { Board, Standing, Status } from "./index.d.ts" */
/** @typedef {any} Held a board or a standing */

export class LiveError extends Error {
  /**
   * @param {string} code
   * @param {string} [message]
   */
  constructor(code, message) {
    super(message || code);
    this.code = code;
  }
}

/** One who looks. `index.d.ts` has the contract. */
export class Topic extends Emitter {
  /** @type {Held} */
  state = null;
  /** @type {Status} */
  status = "connecting";
  /** @type {string | null} */
  reason = null;
  /** @type {LiveError | null} */
  error = null;
  #leave;

  /** @param {(topic: Topic) => void} leave */
  constructor(leave) {
    super();
    this.#leave = leave;
  }

  /**
   * @param {string} type
   * @param {(...told: any[]) => void} listener
   */
  on(type, listener) {
    const off = super.on(type, listener);
    const { state } = this;
    let listens = true;
    // Unless a newer one has come by then.
    if (type === "state" && state) queueMicrotask(() => listens && this.state === state && listener(state, "snapshot", null));
    return () => {
      listens = false;
      off();
    };
  }

  /**
   * @param {Held} state
   * @param {string} cause
   */
  show(state, cause) {
    const before = this.state;
    this.state = state;
    this.emit("state", state, cause, before);
  }

  /**
   * @param {Status} status
   * @param {string | null} reason
   */
  tell(status, reason) {
    if (this.status === "closed" || (status === this.status && reason === this.reason)) return;
    this.status = status;
    this.reason = reason;
    this.emit("status", status, reason);
  }

  close() {
    this.tell("closed", null);
    this.#leave(this);
  }

  async *[Symbol.asyncIterator]() {
    /** @type {Held} */
    let shown = null;
    /** @type {Held} */
    let unseen = this.state;
    let wake = () => {};
    const offs = [
      super.on("state", (state) => {
        unseen = since(shown, unseen, state);
        wake();
      }),
      super.on("status", () => wake()),
    ];
    try {
      for (;;) {
        if (unseen) {
          shown = unseen;
          unseen = null;
          yield shown;
        } else if (this.error) throw this.error;
        else if (this.status === "closed") return;
        else await new Promise((resolve) => (wake = () => resolve(null)));
      }
    } finally {
      for (const off of offs) off();
      this.close();
    }
  }
}

/** One subscription, and where asking stands. */
export class Watch {
  /** @type {Set<Topic>} */
  topics = new Set();
  /** As the node named it on this connection. @type {string | null} */
  topic = null;
  /** @type {Held} */
  held = null;
  /** `held` is what a node told, to the last version that came: the next can lead on from it. */
  inStep = false;
  /** This connection has proved it. */
  proved = false;
  /** Asked for or about to be: what comes before the answer is of no use. */
  waits = true;
  /** The node owes an answer, and may be making a topic whose name is not known yet. */
  asked = false;
  /** What the service says of it. @type {string | null} */
  reason = null;
  attempt = 0;
  /** Since when a node is behind what was shown. @type {number | null} */
  behind = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * @param {number} id
   * @param {Record<string, unknown>} request
   */
  constructor(id, request) {
    this.id = id;
    this.request = request;
  }
}
