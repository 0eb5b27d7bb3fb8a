/**
 * What one caller watches, and how far the conversation about it has come.
 *
 * @module
 */

/** @typedef {import("./reducer.js").State} State */

/**
 * @typedef {object} Handlers
 * @property {(state: State, cause: "snapshot" | "delta" | "check") => void} onState
 * @property {(code: string, message: string) => void} [onError] the node refuses this watch
 * @property {(asOf: number | null) => void} [onStale] the ranking is away since then (Unix seconds); null: it is back
 */

/** `Live` makes, keeps and ends them. */
export class Watch {
  /** @type {State | null} */
  state = null;
  /** @type {string | null} */
  topic = null;
  /** The node's answer to our question is due. */
  asked = false;
  /** What comes before the next snapshot is of no use. */
  waiting = false;
  /** The caller has left; only an answer that is due keeps it here. */
  ended = false;
  askedAt = -Infinity;
  attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * @param {number} id
   * @param {Record<string, unknown>} request
   * @param {Handlers} handlers
   */
  constructor(id, request, handlers) {
    this.id = id;
    this.request = request;
    this.handlers = handlers;
  }
}
