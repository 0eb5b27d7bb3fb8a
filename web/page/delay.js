/**
 * How long a score takes from the store to this screen, measured on some of those that come.
 *
 * Clocks of two machines differ by more than the way takes, so none but ours is read: the service tells how long ago the
 * entry was written, and half the time of the question is what the answer took. Whatever is wrong about that half is the
 * error, and a question that took long is not counted.
 *
 * @module
 */

import { getAge } from "./boards.js";

/** @typedef {import("../client/index.d.ts").Board} State */

/** Between two measurements; and the slowest question that counts. */
const PAUSE_MS = 4000;
const SLOWEST_MS = 400;

/**
 * @param {State} before
 * @param {State} after
 * @returns {{player: string, seq: import("../client/index.d.ts").Int} | null} the newest score of the step; null: there is none in sight
 */
export function newest(before, after) {
  const known = before.entries.reduce((most, { seq }) => Math.max(most, Number(seq)), 0);
  // Whoever comes into sight as others leave it may have scored long ago.
  const scored = after.entries.filter(({ seq }) => Number(seq) > known);
  return scored.reduce(
    (latest, entry) => (latest === null || Number(entry.seq) > Number(latest.seq) ? entry : latest),
    /** @type {import("../client/index.d.ts").Entry | null} */ (null),
  );
}

export class Delay {
  /** @type {{board: string, player: string, seq: import("../client/index.d.ts").Int, stamp: string} | null} */
  #wanted = null;
  #askedAt = -Infinity;
  #onMeasured;

  /** @param {(ms: number) => void} onMeasured */
  constructor(onMeasured) {
    this.#onMeasured = onMeasured;
  }

  /**
   * A step of a board has come, and will be drawn.
   *
   * @param {string} board
   * @param {State} before
   * @param {State} after
   */
  came(board, before, after) {
    if (this.#wanted !== null || document.visibilityState !== "visible") return;
    if (performance.now() < this.#askedAt + PAUSE_MS) return;
    const entry = newest(before, after);
    if (entry === null) return;
    this.#askedAt = performance.now();
    this.#wanted = { board, player: entry.player, seq: entry.seq, stamp: `${after.epoch}/${after.version}` };
  }

  /** @param {string} stamp of the state that is being drawn, with this frame */
  drawn(stamp) {
    const wanted = this.#wanted;
    if (wanted === null) return;
    this.#wanted = null;
    // Where states came faster than frames it is another one, with the same row in it or a newer.
    if (stamp.split("/")[0] !== wanted.stamp.split("/")[0]) return;
    // A message of our own comes after the frame was painted.
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => this.#ask(wanted, performance.now());
    port2.postMessage(null);
  }

  /**
   * @param {{board: string, player: string, seq: import("../client/index.d.ts").Int}} wanted
   * @param {number} shownAt
   */
  async #ask({ board, player, seq }, shownAt) {
    const askedAt = performance.now();
    const age = await getAge(board, player).catch(() => null);
    const took = performance.now() - askedAt;
    // Another score since, or a replica that has not heard of this one.
    if (age === null || String(age.seq) !== String(seq) || took > SLOWEST_MS) return;
    this.#onMeasured(Math.max(0, shownAt - (askedAt + took / 2 - age.age_ms)));
  }
}
