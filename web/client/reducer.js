/**
 * What a topic's messages make of its list, a top or the rows around a player: pure functions, no clock, no network, no page.
 *
 * `apply(snapshot, deltas)` equals a fresh snapshot at every version, or says that it cannot know: then the
 * caller resynchronises. States and entries are never changed in place, and an entry that a message does not
 * touch stays the same object, so a view may compare by identity.
 *
 * @module
 */

import { crc32 } from "./crc32.js";

/**
 * An int64 as the wire carries it: a number within ±(2^53−1), a string of digits beyond.
 * @typedef {number | string} Int
 */

/**
 * @typedef {object} Entry
 * @property {number} rank derived here, whatever the wire said
 * @property {string} player
 * @property {string | null} [name]
 * @property {string | null} [picture]
 * @property {string | null} [country]
 * @property {Int | Int[]} score a plain value where the board has one column
 * @property {Int} seq
 */

/** @typedef {"competition" | "ordinal"} RankMode competition: 1 2 2 4; ordinal: 1 2 3 4 */

/**
 * @typedef {object} State
 * @property {string} topic
 * @property {Int} epoch
 * @property {Int} version
 * @property {number} total players on the whole board
 * @property {RankMode} ranks
 * @property {number | null} position the place of the first row on the board, from 0
 * @property {number | null} first the rank of the first row; null as `position` is, and no rows, around a player who is not ranked
 * @property {readonly Entry[]} entries
 */

/**
 * @typedef {object} Snapshot
 * @property {"snapshot"} type
 * @property {string} topic
 * @property {Int} epoch
 * @property {Int} version
 * @property {number} total
 * @property {RankMode} ranks
 * @property {number | null} [position] of the first row, around a player
 * @property {Entry[]} entries
 */

/** @typedef {Record<string, unknown>} Patch whole top-level fields; null is a value */

/**
 * Each op acts on the list as the one before left it.
 * @typedef {["out", number] | ["in", number, Entry] | ["move", number, number, Patch] | ["set", number, Patch]} Op
 */

/**
 * @typedef {object} Delta
 * @property {"delta"} type
 * @property {string} topic
 * @property {Int} epoch
 * @property {Int} from
 * @property {Int} to
 * @property {number} total
 * @property {number | null} [position] of the first row, around a player
 * @property {number | null} [rank] of the first row, around a player
 * @property {Op[]} ops
 */

/**
 * @typedef {object} Check
 * @property {"check"} type
 * @property {string} topic
 * @property {Int} epoch
 * @property {Int} version
 * @property {number} total
 * @property {number} crc
 * @property {number | null} [position] around a player
 * @property {number | null} [rank] of a player
 */

/** The state does not lead to where this message starts: ask for a snapshot. */
export class OutOfStep extends Error {}

/**
 * @param {Snapshot} message
 * @returns {State}
 */
export function fromSnapshot({ topic, epoch, version, total, ranks, position, entries }) {
  const first = entries[0]?.rank ?? (position === null ? null : 1);
  return placed({ topic, epoch, version, total, ranks, first, position: position ?? (first && first - 1), entries });
}

/**
 * @param {State} state
 * @param {Delta} delta
 * @returns {State}
 * @throws {OutOfStep} when the epoch or `from` is not ours, or an op points outside the list
 */
export function applyDelta(state, delta) {
  if (delta.epoch !== state.epoch) throw new OutOfStep(`epoch ${delta.epoch} after ${state.epoch}`);
  if (delta.from !== state.version) throw new OutOfStep(`a delta from ${delta.from} at ${state.version}`);
  const entries = [...state.entries];
  for (const op of delta.ops) applyOp(entries, op);
  // A top begins where it always does, and says nothing of it.
  const { to: version, total, position = state.position, rank: first = state.first } = delta;
  return placed({ ...state, version, total, position, first, entries });
}

/**
 * A check proves the list and carries version and total forward.
 *
 * @param {State} state
 * @param {Check} check
 * @returns {State}
 * @throws {OutOfStep} when the list is not the one the server has
 */
export function applyCheck(state, check) {
  if (check.epoch !== state.epoch) throw new OutOfStep(`epoch ${check.epoch} after ${state.epoch}`);
  // A snapshot of our own may be newer than what the node last told everybody.
  if (Number(check.version) < Number(state.version)) return state;
  if (check.crc !== checksum(state.entries)) throw new OutOfStep(`the list differs at ${check.version}`);
  if ((check.position === undefined ? state.position : check.position) !== state.position) {
    throw new OutOfStep(`the list begins elsewhere at ${check.version}`);
  }
  return { ...state, version: check.version, total: check.total };
}

/**
 * @param {readonly Entry[]} entries
 * @returns {number} CRC-32 of the UTF-8 lines `player\tseq\tname\n`
 */
export function checksum(entries) {
  return crc32(entries.map((entry) => `${entry.player}\t${entry.seq}\t${entry.name ?? ""}\n`).join(""));
}

/**
 * @param {Entry[]} entries changed in place
 * @param {Op} op
 */
function applyOp(entries, op) {
  const [kind, index] = op;
  const size = entries.length;
  switch (kind) {
    case "out":
      within(index, size);
      entries.splice(index, 1);
      return;
    case "in":
      within(index, size + 1);
      entries.splice(index, 0, op[2]);
      return;
    case "move": {
      within(index, size);
      within(op[2], size);
      const [entry] = entries.splice(index, 1);
      entries.splice(op[2], 0, { ...entry, ...op[3] });
      return;
    }
    case "set":
      within(index, size);
      entries[index] = { ...entries[index], ...op[2] };
      return;
    default:
      throw new OutOfStep(`an op ${String(kind)} that this client does not know`);
  }
}

/**
 * @param {number} index
 * @param {number} size
 */
function within(index, size) {
  if (!(Number.isInteger(index) && index >= 0 && index < size)) throw new OutOfStep(`no row ${index} of ${size}`);
}

/**
 * @param {State} state rows in order
 * @returns {State} with the rank of each row that follows from its place
 */
function placed(state) {
  /** @type {Entry[]} */
  const rows = [];
  state.entries.forEach((entry, index) => {
    const above = rows[index - 1];
    const shared = state.ranks === "competition" && (above === undefined || sameColumns(above.score, entry.score));
    const rank = shared ? (above?.rank ?? state.first ?? 1) : (state.position ?? 0) + index + 1;
    rows.push(entry.rank === rank ? entry : { ...entry, rank });
  });
  return { ...state, entries: rows };
}

/**
 * @param {Int | Int[]} one
 * @param {Int | Int[]} other
 */
function sameColumns(one, other) {
  // Canonical text: a list joins to its elements, and one integer has one spelling on the wire.
  return String(one) === String(other);
}
