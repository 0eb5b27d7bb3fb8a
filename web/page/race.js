/**
 * Who is in the plot: the players who are watched, or the best while nobody is.
 *
 * @module
 */

import { displayName } from "./format.js";
import { byId, write } from "./make.js";
import { Plot } from "./plot.js";
import { Tracks } from "./tracks.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./plot.js").Runner} Runner */
/** @typedef {import("./watchlist.js").Followed} Followed */

const LEADERS = 5;
const STEP_MS = 1000;

export class Race {
  #tracks = new Tracks();
  #plot = new Plot(/** @type {SVGSVGElement} */ (/** @type {unknown} */ (byId("plot"))), () => this.#draw());
  #title = byId("race-title");
  /** @type {readonly Entry[]} */
  #entries = [];
  #runners;
  /** The leaders' colours, kept while they lead. @type {Map<string, number>} */
  #slots = new Map();

  /** @param {() => Runner[]} runners those who are watched */
  constructor(runners) {
    this.#runners = runners;
    setInterval(() => this.#draw(), STEP_MS);
  }

  /** @param {readonly Entry[]} entries the top of the board */
  top(entries) {
    this.#entries = entries;
    const now = performance.now();
    // Whoever may come to lead has a past by then.
    for (const { player, rank } of entries.slice(0, LEADERS * 4)) this.#tracks.note(player, rank, now);
    if (byId("race").hidden) this.#draw();
  }

  /** @param {Followed} followed */
  followed({ player, entry, stretch }) {
    if (stretch !== null) this.#tracks.note(player, entry?.rank ?? null, performance.now());
  }

  clear() {
    this.#tracks.clear();
    this.#entries = [];
    this.#slots.clear();
    this.#draw();
  }

  #draw() {
    if (document.visibilityState !== "visible") return;
    const watched = this.#runners();
    const runners = watched.length > 0 ? watched : this.#leaders();
    write(this.#title, watched.length > 0 ? "Rank over time" : "The race for the top");
    byId("race").hidden = runners.length === 0;
    this.#plot.show(runners, this.#tracks, performance.now());
  }

  /** @returns {Runner[]} */
  #leaders() {
    const leaders = this.#entries.slice(0, LEADERS);
    const players = leaders.map(({ player }) => player);
    for (const player of this.#slots.keys()) if (!players.includes(player)) this.#slots.delete(player);
    for (const player of players) {
      if (this.#slots.has(player)) continue;
      const taken = new Set(this.#slots.values());
      let slot = 0;
      while (taken.has(slot)) slot += 1;
      this.#slots.set(player, slot);
    }
    return leaders.map((entry) => ({ player: entry.player, name: displayName(entry), slot: this.#slots.get(entry.player) ?? 0 }));
  }
}
