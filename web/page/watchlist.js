/**
 * The players who are watched: each with the stretch of the board around them, wherever on it they are.
 *
 * @module
 */

/** @typedef {import("../client/index.d.ts").Live} Live */
/** @typedef {import("../client/index.d.ts").Board} Stretch */
/** @typedef {import("../client/index.d.ts").Entry} Entry */

/** Neighbours on either side: whoever shares the rank stands between a player and those ahead. */
const RADIUS = 10;

/**
 * @typedef {object} Followed
 * @property {string} player
 * @property {number} slot which of the plot's colours is theirs
 * @property {Stretch | null} stretch null: nothing has come yet
 * @property {Entry | null} entry null: not ranked, or nothing has come yet
 * @property {boolean} fresh what is shown is what is
 */

export class Watchlist {
  /** @type {Map<string, Followed & {end: () => void}>} */
  #followed = new Map();
  #live;
  #onChange;
  /** @type {string | null} */
  #board = null;

  /**
   * @param {Live} live
   * @param {(followed: Followed, before: Entry | null) => void} onChange
   */
  constructor(live, onChange) {
    this.#live = live;
    this.#onChange = onChange;
  }

  /**
   * @param {string} board
   * @param {readonly string[]} players exactly these are watched from now on
   */
  watch(board, players) {
    for (const [player, { end }] of this.#followed) {
      if (board === this.#board && players.includes(player)) continue;
      end();
      this.#followed.delete(player);
    }
    this.#board = board;
    for (const player of players) if (!this.#followed.has(player)) this.#begin(board, player);
  }

  /** In the order in which they were chosen. */
  get all() {
    return /** @type {readonly Followed[]} */ ([...this.#followed.values()]);
  }

  /** @returns {Map<string, number>} */
  get slots() {
    return new Map(this.all.map(({ player, slot }) => [player, slot]));
  }

  /** @param {string} player */
  of(player) {
    return /** @type {Followed | undefined} */ (this.#followed.get(player));
  }

  /**
   * @param {string} board
   * @param {string} player
   */
  #begin(board, player) {
    const taken = new Set(this.all.map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    const topic = this.#live.around(board, player, { radius: RADIUS });
    /** @type {Followed & {end: () => void}} */
    const followed = { player, slot, stretch: null, entry: null, fresh: false, end: () => topic.close() };
    this.#followed.set(player, followed);
    topic.on("state", (stretch) => {
      const before = followed.entry;
      followed.stretch = stretch;
      followed.entry = stretch.entries.find((entry) => entry.player === player) ?? null;
      this.#onChange(followed, before);
    });
    topic.on("status", (status) => {
      const fresh = status === "live";
      if (fresh === followed.fresh) return;
      followed.fresh = fresh;
      this.#onChange(followed, followed.entry);
    });
  }
}
