/**
 * How far each player has come since a moment ago. The clock is handed in.
 *
 * @module
 */

/** How long a movement stays in sight, in milliseconds. */
export const MOMENT_MS = 30_000;

/** Ranks of less than this, in milliseconds, are one: what is kept of a busy board has a bound. */
const GRAIN_MS = 500;

/**
 * `by` counts ranks; a player who was not in sight a moment ago is new.
 * @typedef {{kind: "up" | "down", by: number} | {kind: "same" | "new", by: 0}} Movement
 */

/** @type {Movement} */
const SAME = { kind: "same", by: 0 };
/** @type {Movement} */
const NEW = { kind: "new", by: 0 };

export class Movements {
  /**
   * Each player's ranks with the time from which they held; the first is the one of a moment ago.
   * @type {Map<string, {at: number, rank: number}[]>}
   */
  #held = new Map();

  /**
   * Note the ranks of now. The first call is where everybody starts from.
   *
   * @param {readonly {player: string, rank: number}[]} entries
   * @param {number} now milliseconds
   */
  observe(entries, now) {
    const since = this.#held.size === 0 ? -Infinity : now;
    for (const { player, rank } of entries) {
      const held = this.#held.get(player);
      if (held === undefined) this.#held.set(player, [{ at: since, rank }]);
      else if (held[held.length - 1].rank !== rank) note(forget(held, now), rank, now);
    }
    if (this.#held.size > entries.length * 2) this.#forgetThoseOutOfSight(entries);
  }

  /**
   * @param {string} player
   * @param {number} now milliseconds
   * @returns {Movement}
   */
  of(player, now) {
    const held = this.#held.get(player);
    if (held === undefined) return SAME;
    if (forget(held, now)[0].at > now - MOMENT_MS) return NEW;
    const by = held[0].rank - held[held.length - 1].rank;
    if (by === 0) return SAME;
    return by > 0 ? { kind: "up", by } : { kind: "down", by: -by };
  }

  clear() {
    this.#held.clear();
  }

  /** @param {readonly {player: string}[]} entries who is in sight */
  #forgetThoseOutOfSight(entries) {
    const seen = new Set(entries.map(({ player }) => player));
    for (const player of this.#held.keys()) if (!seen.has(player)) this.#held.delete(player);
  }
}

/**
 * @param {{at: number, rank: number}[]} held
 * @param {number} rank from now on
 * @param {number} now milliseconds
 */
function note(held, rank, now) {
  const last = held[held.length - 1];
  if (held.length > 1 && now - last.at < GRAIN_MS) last.rank = rank;
  else held.push({ at: now, rank });
}

/**
 * @param {{at: number, rank: number}[]} held changed in place: nothing is kept from before the rank of a moment ago
 * @param {number} now milliseconds
 */
function forget(held, now) {
  while (held.length > 1 && held[1].at <= now - MOMENT_MS) held.shift();
  return held;
}
