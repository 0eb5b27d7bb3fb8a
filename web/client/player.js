/**
 * What a player's topic says: where one player stands. Pure functions, as in `reducer.js`.
 *
 * @module
 */

import { crc32 } from "./crc32.js";
import { OutOfStep } from "./reducer.js";

/** @typedef {import("./reducer.js").Int} Int */

/**
 * `moved` and `passed_by` tell what happened since the state before.
 * @typedef {object} PlayerState
 * @property {string} topic
 * @property {string} player
 * @property {Int} epoch
 * @property {Int} version
 * @property {number} of how many are ranked
 * @property {number | null} rank null, as are position, score and seq, while the player is not ranked
 * @property {number | null} position from 0
 * @property {Int | Int[] | null} score
 * @property {Int | null} seq
 * @property {number} moved ranks won
 * @property {readonly string[]} passed_by the nearest first
 */

/** @typedef {Omit<PlayerState, "player"> & {type: "rank", from: Int}} Rank */

/**
 * @param {PlayerState | null} state
 * @param {Rank} message
 * @returns {PlayerState}
 * @throws {OutOfStep} when it neither follows nor stands for itself
 */
export function applyRank(state, { type: _, from, ...rank }) {
  if (from !== rank.version && (rank.epoch !== state?.epoch || from !== state.version)) {
    throw new OutOfStep(`a rank from ${rank.epoch}/${from} at ${state?.epoch}/${state?.version}`);
  }
  // Whom `me` stands for is said by the name of the topic alone.
  return { ...rank, player: rank.topic.slice(rank.topic.lastIndexOf("/") + 1) };
}

/**
 * A check proves the rank and carries version and total forward.
 *
 * @param {PlayerState} state
 * @param {import("./reducer.js").Check} check
 * @returns {PlayerState}
 * @throws {OutOfStep} when the player stands elsewhere
 */
export function applyPlayerCheck(state, { epoch, version, total, crc, rank }) {
  if (epoch !== state.epoch) throw new OutOfStep(`epoch ${epoch} after ${state.epoch}`);
  if (Number(version) < Number(state.version)) return state;
  if (crc !== playerChecksum(state) || rank !== state.rank) throw new OutOfStep(`the player stands elsewhere at ${version}`);
  return { ...state, version, of: total, moved: 0, passed_by: [] };
}

/**
 * @param {Pick<PlayerState, "player" | "seq">} state
 * @returns {number} CRC-32 of the one line `player\tseq\t\n`, of nothing while the player is not ranked
 */
export function playerChecksum({ player, seq }) {
  return crc32(seq === null ? "" : `${player}\t${seq}\t\n`);
}
