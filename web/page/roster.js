/**
 * Names beyond those that are in sight: read when somebody searches for one, and kept for a while.
 *
 * @module
 */

import { getPlayer, getStretch } from "./boards.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */

/** Names are looked for among so many of the best, read in pages of this size. */
export const DEPTH = 3000;
const PAGE = 1000;
const KEPT_MS = 60_000;

export class Roster {
  #board = "";
  #readAt = -Infinity;
  /** @type {Promise<Entry[]> | null} */
  #entries = null;

  /**
   * @param {string} board
   * @returns {Promise<Entry[]>} best first; fewer where the board has fewer
   * @throws {Error} when the node does not answer
   */
  read(board) {
    const now = performance.now();
    if (this.#entries === null || board !== this.#board || now > this.#readAt + KEPT_MS) {
      this.#board = board;
      this.#readAt = now;
      const entries = pages(board);
      this.#entries = entries;
      entries.catch(() => {
        if (this.#entries === entries) this.#entries = null;
      });
    }
    return this.#entries;
  }

  /**
   * @param {string} board
   * @param {string} player an exact id
   * @returns {Promise<Entry | null>} null: nobody of that id is ranked
   */
  find(board, player) {
    return /^[A-Za-z0-9_.-]{1,64}$/.test(player) ? getPlayer(board, player) : Promise.resolve(null);
  }
}

/** @param {string} board */
async function pages(board) {
  /** @type {Entry[]} */
  const entries = [];
  while (entries.length < DEPTH) {
    const page = await getStretch(board, entries.length, PAGE);
    entries.push(...page);
    if (page.length < PAGE) break;
  }
  return entries;
}
