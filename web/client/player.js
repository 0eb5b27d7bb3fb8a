/**
 * What messages make of where one player stands. Pure, as `reducer.js`.
 *
 * @module
 */

import { checksum, must } from "./reducer.js";

/** @import { Check, Rank, Standing } from "./index.d.ts" */

/**
 * @param {Standing | null} state
 * @param {Rank} message
 * @returns {Standing}
 */
export function applyRank(state, { type: _, from, ...rank }) {
  const alone = from === rank.version;
  must(alone || (rank.epoch === state?.epoch && from === state.version), "a rank from elsewhere");
  // Whom `me` stands for is said by the name of the topic alone.
  const player = rank.topic.slice(rank.topic.lastIndexOf("/") + 1);
  return { ...rank, player, asOf: alone ? null : (state?.asOf ?? null) };
}

/**
 * It proves the rank, and carries version and total forward.
 *
 * @param {Standing} state
 * @param {Check} check
 * @returns {Standing}
 */
export function applyPlayerCheck(state, { epoch, version, total, crc, rank }) {
  must(epoch === state.epoch, "another epoch");
  if (version < state.version) return state;
  must(crc === playerChecksum(state) && rank === state.rank, "another rank");
  return { ...state, version, of: total, moved: 0, passed_by: [] };
}

/**
 * @param {Pick<Standing, "player" | "seq">} state
 * @returns {number} of the one line without a name; of nothing while the player is not ranked
 */
export function playerChecksum({ player, seq }) {
  return checksum(seq === null ? [] : [{ player, seq }]);
}

/**
 * The newest state as it looks to somebody who last saw `shown`, and missed `skipped` since.
 *
 * @template {object} S
 * @param {S | null} shown
 * @param {S | null} skipped
 * @param {S} newest
 * @returns {S}
 */
export function since(shown, skipped, newest) {
  /** @type {any} */
  const [before, between, now] = [shown, skipped, newest];
  if (!now.passed_by || now.topic !== before?.topic) return newest;
  const moved = before.rank === null || now.rank === null ? 0 : before.rank - now.rank;
  return { ...now, moved, passed_by: [...new Set([...now.passed_by, ...(between?.passed_by ?? [])])].slice(0, 3) };
}
