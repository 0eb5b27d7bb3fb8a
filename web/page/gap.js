/**
 * What one score lacks against another. Pure, and exact to the last digit of an int64.
 *
 * @module
 */

import { formatScore } from "./format.js";

/** @typedef {import("../client/index.d.ts").Int} Int */
/** @typedef {import("../client/index.d.ts").Entry["score"]} Score */
/** @typedef {import("./boards.js").Column} Column */

/**
 * The smallest change that brings `mine` past `theirs`.
 *
 * @param {Score} mine
 * @param {Score} theirs ranks better, or the same
 * @param {readonly Column[]} columns
 * @returns {string} as in "1 more solved, with penalty under 55,500"; "any gain" where both are level
 */
export function whatItTakes(mine, theirs, columns) {
  const [own, other] = [valuesOf(mine), valuesOf(theirs)];
  const at = columns.findIndex((_, index) => own[index] !== other[index]);
  if (at === -1) return "any gain";
  const [column, next] = [columns[at], columns[at + 1]];
  const gap = own[at] > other[at] ? own[at] - other[at] : other[at] - own[at];
  if (next === undefined) return difference(gap + 1n, column);
  // Level in this column, the next one decides.
  const bound = formatScore(String(other[at + 1]), next.decimals);
  return `${difference(gap, column)}, with ${next.name} ${next.direction === "asc" ? "under" : "over"} ${bound}`;
}

/**
 * @param {bigint} amount
 * @param {Column} column
 */
function difference(amount, { name, direction, decimals }) {
  const written = formatScore(String(amount), decimals);
  const word = direction === "asc" ? "less" : "more";
  return /^(score|value)$/i.test(name) ? `${written} ${word}` : `${written} ${word} ${name}`;
}

/**
 * @param {Score} score
 * @returns {bigint[]}
 */
const valuesOf = (score) => /** @type {Int[]} */ ([score].flat()).map(BigInt);
