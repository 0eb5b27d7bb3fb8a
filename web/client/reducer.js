/**
 * What messages make of a list, a top or the rows around a player. Pure: `apply(snapshot, deltas)` equals a fresh snapshot,
 * or throws OutOfStep. Nothing is changed in place, and an entry that is not touched stays the same object.
 *
 * @module
 */

import { crc32 } from "./crc32.js";

/** @import { Board, Check, Delta, Entry, Op, Snapshot } from "./index.d.ts" */
/** @typedef {Board} State */

/** The state does not lead to where this message starts: ask for a snapshot. */
export class OutOfStep extends Error {}

/**
 * @param {unknown} fits
 * @param {string} why
 * @returns {asserts fits}
 */
export function must(fits, why) {
  if (!fits) throw new OutOfStep(why);
}

/**
 * @param {Snapshot} message
 * @returns {Board}
 */
export function fromSnapshot({ topic, epoch, version, total, ranks, position, entries }) {
  const first = entries[0]?.rank ?? (position === null ? null : 1);
  position ??= first && first - 1;
  return placed({ topic, epoch, version, total, ranks, first, position, asOf: null, entries });
}

/**
 * @param {Board} state
 * @param {Delta} delta
 * @returns {Board}
 */
export function applyDelta(state, delta) {
  must(delta.epoch === state.epoch && delta.from === state.version, "a delta from elsewhere");
  const entries = [...state.entries];
  for (const op of delta.ops) applyOp(entries, op);
  // A top begins where it always does, and says nothing of it.
  const { to: version, total, position = state.position, rank: first = state.first } = delta;
  return placed({ ...state, version, total, position, first, entries });
}

/**
 * It proves the list, and carries version and total forward.
 *
 * @param {Board} state
 * @param {Check} check
 * @returns {Board}
 */
export function applyCheck(state, { epoch, version, total, crc, position = state.position }) {
  must(epoch === state.epoch, "another epoch");
  // A snapshot of our own may be newer than what the node last told everybody.
  if (version < state.version) return state;
  must(crc === checksum(state.entries) && position === state.position, "another list");
  return { ...state, version, total };
}

/**
 * @param {readonly Pick<Entry, "player" | "seq" | "name">[]} entries
 * @returns {number} CRC-32 of the UTF-8 lines `player\tseq\tname\n`
 */
export function checksum(entries) {
  return crc32(entries.map(({ player, seq, name }) => `${player}\t${seq}\t${name ?? ""}\n`).join(""));
}

/**
 * @param {Entry[]} entries changed in place
 * @param {Op} op
 */
function applyOp(entries, op) {
  const [kind, index, third] = op;
  const size = entries.length;
  const within = (/** @type {unknown} */ place, bound = size) =>
    must(Number.isInteger(place) && Number(place) >= 0 && Number(place) < bound, "no such row");
  within(index, kind === "in" ? size + 1 : size);
  if (kind === "in") entries.splice(index, 0, /** @type {Entry} */ (third));
  else if (kind === "set") entries[index] = { ...entries[index], .../** @type {object} */ (third) };
  else if (kind === "out") entries.splice(index, 1);
  else {
    must(kind === "move", "an unknown op");
    within(third);
    const [entry] = entries.splice(index, 1);
    entries.splice(op[2], 0, { ...entry, ...op[3] });
  }
}

/**
 * @param {Board} state rows in order
 * @returns {Board} with the rank of each row that follows from its place
 */
function placed(state) {
  /** @type {Entry | undefined} */
  let above;
  const entries = state.entries.map((entry, index) => {
    let rank = (state.position ?? 0) + index + 1;
    // Canonical text: a list joins to its elements, and one integer has one spelling on the wire.
    if (state.ranks === "competition" && (!above || String(above.score) === String(entry.score))) {
      rank = above?.rank ?? state.first ?? 1;
    }
    return (above = entry.rank === rank ? entry : { ...entry, rank });
  });
  return { ...state, entries };
}
