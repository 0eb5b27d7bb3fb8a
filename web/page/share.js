/**
 * How much of the leader's first column each row has. Pure.
 *
 * @module
 */

/** @typedef {import("../client/index.d.ts").Entry} Entry */

/**
 * @param {readonly Entry[]} entries best first
 * @param {"asc" | "desc" | undefined} direction of the first column
 * @returns {number[]} 0 to 1 each; 0 throughout where a share would mean nothing (values of 0 or below)
 */
export function sharesOf(entries, direction) {
  const values = entries.map(({ score }) => Number(Array.isArray(score) ? score[0] : score));
  const [best] = values;
  if (!(best > 0)) return values.map(() => 0);
  return values.map((value) => {
    const share = direction === "asc" ? best / value : value / best;
    return value > 0 ? Math.min(1, share) : 0;
  });
}
