/**
 * The small light that says whether what is shown is what is.
 *
 * @module
 */

import { keepsUp } from "./motion.js";

/** @typedef {import("../client/index.d.ts").Live["status"]} Status */

/**
 * @typedef {object} Condition
 * @property {Status} status
 * @property {boolean} online what the browser knows of the network
 * @property {number | null} staleSince Unix seconds
 * @property {boolean} synchronised the list is the board's
 * @property {boolean} missing there is no list to look at
 */

/**
 * @param {Condition} condition
 * @returns {{kind: "live" | "waiting" | "stale" | "gone", text: string}}
 */
export function describe({ status, online, staleSince, synchronised, missing }) {
  if (status === "closed") return { kind: "gone", text: "Disconnected" };
  if (!online) return { kind: "gone", text: "Offline" };
  if (status === "connecting") return { kind: "waiting", text: "Connecting" };
  if (status === "offline") return { kind: "waiting", text: "Reconnecting" };
  if (staleSince !== null) return { kind: "stale", text: `Paused since ${clock(staleSince)}` };
  if (synchronised) return { kind: "live", text: "Live" };
  return { kind: "waiting", text: missing ? "Waiting" : "Loading" };
}

/** @param {number} moment Unix seconds */
const clock = (moment) => new Date(moment * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export class StatusLight {
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {Animation | null} */
  #beat = null;

  /**
   * @param {HTMLElement} element with a `.dot` and a `.text`
   */
  constructor(element) {
    this.element = element;
    this.dot = /** @type {HTMLElement} */ (element.querySelector(".dot"));
    this.text = /** @type {HTMLElement} */ (element.querySelector(".text"));
  }

  /** @param {Condition} condition */
  show(condition) {
    const { kind, text } = describe(condition);
    if (this.element.dataset.kind !== kind) this.element.dataset.kind = kind;
    if (this.text.textContent !== text) this.text.textContent = text;
  }

  /** The board moved. Beats do not pile up: a busy board has a steady pulse. */
  pulse() {
    if (this.#calm.matches || this.#beat?.playState === "running" || !keepsUp(performance.now())) return;
    this.#beat = this.dot.animate(
      [
        { transform: "scale(1)", opacity: 0.5 },
        { transform: "scale(2.6)", opacity: 0 },
      ],
      { duration: 900, easing: "ease-out", pseudoElement: "::after" },
    );
  }
}
