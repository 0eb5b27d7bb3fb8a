/** Those who look, and what they are told. @module */

import { since } from "./reducer.js";

/** @typedef {(...told: any[]) => void} Listener */

export class LiveError extends Error {
  name = "WatchRefused";

  /** @param {string} code @param {string} [message] */
  constructor(code, message) {
    super(message || code);
    this.code = code;
  }
}

/** A listener's defect is its own. */
export class Emitter extends EventTarget {
  status = /** @type {import("./index.d.ts").Status} */ ("connecting");
  reason = /** @type {string | null} */ (null);
  error = /** @type {LiveError | null} */ (null);

  /** @type {(type: string, listener: Listener) => () => void} */
  on(type, listener) {
    const own = (/** @type {any} */ { detail }) => listener(...detail);
    this.addEventListener(type, own);
    return () => this.removeEventListener(type, own);
  }

  /** @type {(type: string, ...detail: any[]) => void} */
  emit(type, ...detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @type {(status: Emitter["status"], reason?: string | null) => void} */
  tell(status, reason) {
    reason ||= null;
    if (this.status === "closed" || (status === this.status && reason === this.reason)) return;
    this.status = status;
    this.reason = reason;
    this.emit("status", status, reason);
  }
}

export class Topic extends Emitter {
  state = /** @type {any} */ (null);
  #leave;

  /** @param {(topic: Topic) => void} leave */
  constructor(leave) {
    super();
    this.#leave = leave;
  }

  /** @type {Emitter["on"]} */
  on(type, listener) {
    const { state } = this;
    const off = super.on(type, listener);
    let due = type === "state" && state;
    if (due) queueMicrotask(() => due && state === this.state && listener(state, "snapshot", null));
    return () => {
      due = null;
      off();
    };
  }

  /** @type {(state: any, cause: string) => void} */
  show(state, cause) {
    const before = this.state;
    this.state = state;
    this.emit("state", state, cause, before);
  }

  close() {
    this.tell("closed");
    this.#leave(this);
  }

  async *[Symbol.asyncIterator]() {
    let shown = /** @type {any} */ (null);
    let unseen = this.state;
    let wake = (/** @type {any} */ _) => {};
    const offs = [
      super.on("state", (state) => wake((unseen = since(shown, unseen, state)))),
      super.on("status", (status) => wake(status)),
    ];
    try {
      for (;;) {
        if (unseen) {
          shown = unseen;
          unseen = null;
          yield shown;
        } else if (this.error) throw this.error;
        else if (this.status === "closed") return;
        else await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      for (const off of offs) off();
      this.close();
    }
  }
}
