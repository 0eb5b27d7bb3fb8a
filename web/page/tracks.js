/**
 * Where players stood, and when: what the plot is drawn from. Times are handed in, in milliseconds.
 *
 * @module
 */

/** @typedef {{at: number, rank: number | null}} Point a rank that holds from `at` on; null: not ranked */

/** Points kept of one player; beyond, the older half is thinned. */
export const MOST_POINTS = 400;
/** Players of whom anything is kept. */
const MOST_PLAYERS = 200;

export class Tracks {
  /** @type {Map<string, Point[]>} */
  #points = new Map();

  /**
   * @param {string} player
   * @param {number | null} rank
   * @param {number} now
   */
  note(player, rank, now) {
    const points = this.#points.get(player) ?? [];
    // Who was noted last is forgotten last.
    this.#points.delete(player);
    this.#points.set(player, points);
    if (points.at(-1)?.rank === rank && points.length > 0) return;
    points.push({ at: now, rank });
    if (points.length > MOST_POINTS) points.splice(0, points.length, ...thinned(points));
    if (this.#points.size > MOST_PLAYERS) this.#points.delete([...this.#points.keys()][0]);
  }

  /**
   * @param {string} player
   * @param {number} since
   * @returns {Point[]} those from then on, led by the one that held then
   */
  of(player, since) {
    const points = this.#points.get(player) ?? [];
    const first = points.findIndex(({ at }) => at > since);
    if (first === 0) return points;
    return points.slice(first === -1 ? -1 : first - 1).map(({ at, rank }) => ({ at: Math.max(at, since), rank }));
  }

  /**
   * @param {string} player
   * @returns {number | null} when the first was noted
   */
  began(player) {
    return this.#points.get(player)?.[0]?.at ?? null;
  }

  clear() {
    this.#points.clear();
  }
}

/** @param {Point[]} points */
function thinned(points) {
  const half = Math.floor(points.length / 2);
  return points.filter((_, index) => index >= half || index % 2 === 0);
}
