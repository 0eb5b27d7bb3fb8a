/**
 * What the page says aloud, of all that happens: who leads, where the one stands who is looked at, and whether it is live.
 *
 * @module
 */

import { Announcer } from "./announcer.js";
import { displayName, formatScore, ordinal } from "./format.js";
import { byId } from "./make.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./boards.js").Column} Column */

export class Speech {
  #announcer = new Announcer(byId("announcer"));
  #leader = "";
  #standing = "";

  /**
   * @param {readonly Entry[]} entries
   * @param {readonly Column[]} columns
   */
  leader([first], columns) {
    if (first === undefined || first.player === this.#leader || columns.length === 0) return;
    this.#leader = first.player;
    const values = [first.score].flat();
    const score = columns.map(({ name, decimals }, index) => `${name} ${formatScore(values[index] ?? 0, decimals)}`);
    this.#announcer.say(`${displayName(first)} leads with ${score.join(", ")}.`);
  }

  /** @param {Entry} entry the one who is looked at */
  standing(entry) {
    const standing = `${entry.player} ${entry.rank}`;
    if (standing === this.#standing) return;
    const moved = this.#standing.startsWith(`${entry.player} `);
    this.#standing = standing;
    if (moved) this.#announcer.say(`${displayName(entry)} is now ${ordinal(entry.rank)}.`);
  }

  /** @param {"lost" | "back"} event */
  connection(event) {
    this.#announcer.say(event === "lost" ? "The connection is lost. Reconnecting." : "The board is live again.");
  }

  /** Another board. */
  clear() {
    this.#leader = "";
    this.#standing = "";
  }
}
