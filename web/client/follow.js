/**
 * One step of any topic. Pure.
 *
 * @module
 */

import { applyPlayerCheck, applyRank } from "./player.js";
import { applyCheck, applyDelta, fromSnapshot, must } from "./reducer.js";

/** @import { Board, Message, Standing } from "./index.d.ts" */

/**
 * Whether a message makes a state by itself, whatever was held before.
 * @param {Message} message
 */
export const standsAlone = (message) =>
  message.type === "snapshot" || (message.type === "rank" && message.from === message.version);

/**
 * @param {Board | Standing | null} held
 * @param {Message} message
 * @returns {Board | Standing} `held` itself where nothing is new
 * @throws {import("./reducer.js").OutOfStep} when it does not follow
 */
export function follow(held, message) {
  const { type } = message;
  if (type === "snapshot") return fromSnapshot(message);
  if (type === "rank") return applyRank(held && "of" in held ? held : null, message);
  must(held, "nothing is held");
  if (type === "check") return "of" in held ? applyPlayerCheck(held, message) : applyCheck(held, message);
  if (type === "delta") {
    must(!("of" in held), "a delta of a player");
    return applyDelta(held, message);
  }
  const asOf = message.as_of ?? null;
  return asOf === held.asOf ? held : { ...held, asOf };
}
