/** What messages make of what is held. Nothing is changed in place. @module */

import { crc32 } from "./crc32.js";

/** It does not follow: ask for a snapshot. */
export class OutOfStep extends Error {}

const must = (/** @type {unknown} */ fits) => {
  if (!fits) throw new OutOfStep();
};

/** @type {(message: any) => boolean} whether it needs nothing before it */
export const standsAlone = ({ type, from, version }) => type === "snapshot" || (type === "rank" && from === version);

/** @type {(held: any, message: any) => any} `held` itself where nothing is new */
export const follow = (held, message) => {
  const { type, from, ...told } = message;
  const { topic, epoch, version, total, rank, entries } = told;
  if (type === "snapshot") {
    const first = entries[0]?.rank ?? (told.position === null ? null : 1);
    return placed({ topic, epoch, version, total, ranks: told.ranks, first, position: told.position ?? (first && first - 1), asOf: null, entries });
  }
  if (standsAlone(message)) held = { epoch, version };
  must(held);
  const { position = held.position } = told;
  if (type === "stale" || type === "fresh") {
    const asOf = told.as_of ?? null;
    return asOf === held.asOf ? held : { ...held, asOf };
  }
  must(epoch === held.epoch);
  if (type === "check") {
    // What was told to us alone may be newer than what everybody is told.
    if (version < held.version) return held;
    must(told.crc === checksum(held.entries ?? (held.seq === null ? [] : [held])));
    must(position === held.position && (held.entries || rank === held.rank));
    if (version === held.version && total === (held.entries ? held.total : held.of)) return held;
    return { ...held, version, ...(held.entries ? { total } : { of: total, moved: 0, passed_by: [] }) };
  }
  must(from === held.version);
  // Whom `me` stands for is said by the name of the topic alone.
  if (type === "rank") return { ...told, player: topic.slice(topic.lastIndexOf("/") + 1), asOf: held.asOf ?? null };
  const rows = [...held.entries];
  for (const op of told.ops) apply(rows, op);
  return placed({ ...held, version: told.to, total, position, first: rank === undefined ? held.first : rank, entries: rows });
};

/** @type {(entries: readonly any[]) => number} */
export const checksum = (entries) =>
  crc32(entries.map(({ player, seq, name }) => `${player}\t${seq}\t${name ?? ""}\n`).join(""));

/** @type {(rows: any[], op: any[]) => void} */
const apply = (rows, [kind, at, what, patch]) => {
  const within = (/** @type {any} */ place, more = 0) => must(Number.isInteger(place) && place >= 0 && place < rows.length + more);
  within(at, kind === "in" ? 1 : 0);
  if (kind === "in") rows.splice(at, 0, what);
  else if (kind === "set") rows[at] = { ...rows[at], ...what };
  else {
    const [row] = rows.splice(at, 1);
    if (kind === "move") {
      within(what, 1);
      rows.splice(what, 0, { ...row, ...patch });
    } else must(kind === "out");
  }
};

/** @type {(state: any) => any} each row under the rank that its place gives it */
const placed = (state) => {
  let above = /** @type {any} */ (null);
  const entries = state.entries.map((/** @type {any} */ row, /** @type {number} */ index) => {
    // As text: an integer has one spelling on the wire.
    const shared = state.ranks === "competition" && (!above || `${above.score}` === `${row.score}`);
    const rank = shared ? (above?.rank ?? state.first ?? 1) : (state.position ?? 0) + index + 1;
    return (above = row.rank === rank ? row : { ...row, rank });
  });
  return { ...state, entries };
};

/** @type {(shown: any, unseen: any, newest: any) => any} `newest` to who saw `shown` and missed `unseen` */
export const since = (shown, unseen, newest) => {
  if (!newest.passed_by || shown?.topic !== newest.topic) return newest;
  const moved = shown.rank && newest.rank && shown.rank - newest.rank;
  return { ...newest, moved: moved ?? 0, passed_by: [...new Set([...newest.passed_by, ...(unseen?.passed_by ?? [])])].slice(0, 3) };
};
