/**
 * Who is just ahead of a player and who just behind, and what lies between. Pure.
 *
 * @module
 */

import { whatItTakes } from "./gap.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./boards.js").Column} Column */

/**
 * @typedef {object} Rivals
 * @property {Entry | null} ahead the nearest of a better rank
 * @property {Entry | null} behind the nearest of a worse one
 * @property {string} level how many share the rank, in words; nothing where nobody does
 * @property {string} toPass what brings the player past the one ahead
 * @property {string} toBePassed what brings the one behind past the player
 */

/**
 * @param {Entry} own
 * @param {readonly Entry[]} entries a stretch of the board with the player in it, best first
 * @param {readonly Column[]} columns
 * @returns {Rivals}
 */
export function rivals(own, entries, columns) {
  const ahead = entries.findLast(({ rank }) => rank < own.rank) ?? null;
  const behind = entries.find(({ rank }) => rank > own.rank) ?? null;
  return {
    ahead,
    behind,
    level: levelWith(own, entries),
    toPass: ahead === null ? "" : whatItTakes(own.score, ahead.score, columns),
    toBePassed: behind === null ? "" : whatItTakes(behind.score, own.score, columns),
  };
}

/**
 * @param {Entry} own
 * @param {readonly Entry[]} entries
 */
function levelWith(own, entries) {
  const level = entries.filter(({ rank, player }) => rank === own.rank && player !== own.player).length;
  if (level === 0) return "";
  // Those at the end of the stretch may have more like them beyond it.
  const beyond = entries.at(-1)?.rank === own.rank || (own.rank > 1 && entries[0].rank === own.rank);
  return `Level with ${level}${beyond ? " or more" : ""}`;
}

/**
 * @param {number} rank
 * @param {number} total
 * @returns {string} "top 4 %", to a tenth among the first hundredth; nothing where that says nothing
 */
export function topShare(rank, total) {
  if (total < 20 || rank > total) return "";
  const share = (rank / total) * 100;
  return `top ${share < 1 ? Math.max(0.1, Math.ceil(share * 10) / 10) : Math.ceil(share)}\u202f%`;
}
