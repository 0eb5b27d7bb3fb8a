/**
 * What is worth saying aloud, of all that happens: who leads, and where the watched player stands. Pure.
 *
 * @module
 */

/** @typedef {import("../client/index.d.ts").Entry} Entry */

/**
 * `entry` of "left" is the last that was known.
 * @typedef {{kind: "leads" | "stands" | "left", entry: Entry, before: Entry | null}} Remark
 */

export class Remarks {
  /** @type {Entry | null | undefined} */
  #leader;
  /** @type {Entry | null | undefined} */
  #watched;

  /**
   * @param {Entry | null} leader null: nobody is, or the first rank is out of sight
   * @param {Entry | null} watched null: nobody is, or the player is not ranked
   * @returns {Remark[]} of what has changed since the last call; the first only tells how things are
   */
  of(leader, watched) {
    /** @type {Remark[]} */
    const remarks = [];
    const [led, stood] = [this.#leader, this.#watched];
    if (leader !== null && led !== undefined && led?.player !== leader.player) remarks.push({ kind: "leads", entry: leader, before: led });
    if (stood !== undefined && stood?.rank !== watched?.rank) {
      if (watched !== null) remarks.push({ kind: "stands", entry: watched, before: stood });
      else if (stood !== null) remarks.push({ kind: "left", entry: stood, before: stood });
    }
    // Who led is who led until another does: a list that is empty for a moment has no news.
    if (leader !== null || led === undefined) this.#leader = leader;
    this.#watched = watched;
    return remarks;
  }

  /** Another board, or another player. */
  clear() {
    this.#leader = this.#watched = undefined;
  }
}
