/**
 * Who is meant by what was typed. Pure.
 *
 * @module
 */

import { displayName } from "./format.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */

/**
 * @param {string} text
 * @returns {string} as it is compared: without case, accents and forms of width
 */
export const folded = (text) => text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase().trim();

/**
 * @param {string} query
 * @param {readonly Entry[]} entries best first
 * @param {number} limit
 * @returns {Entry[]} exact ids, then names that begin so, words that do, names and ids that hold it; the better rank first
 */
export function matches(query, entries, limit) {
  const wanted = folded(query);
  if (wanted === "") return [];
  /** @type {Entry[][]} */
  const found = [[], [], [], []];
  for (const entry of entries) {
    const level = levelOf(wanted, query, entry);
    if (level !== -1) found[level].push(entry);
  }
  return found.flat().slice(0, limit);
}

/**
 * @param {string} wanted
 * @param {string} query
 * @param {Entry} entry
 */
function levelOf(wanted, query, entry) {
  if (entry.player === query) return 0;
  const name = folded(displayName(entry));
  if (name.startsWith(wanted)) return 1;
  const at = name.indexOf(wanted);
  if (at > 0) return /[\s._-]/.test(name[at - 1]) ? 2 : 3;
  return entry.player.toLowerCase().includes(wanted) ? 3 : -1;
}
