// The browser's reducer over the golden files that every client runs (tests/vectors/README.md).

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { applyPlayerCheck, applyRank, playerChecksum } from "../../../web/client/player.js";
import { applyCheck, applyDelta, checksum, fromSnapshot, OutOfStep } from "../../../web/client/reducer.js";

const folder = new URL("../../vectors/", import.meta.url);
const files = readdirSync(folder).filter((name) => /^reducer\..*\.json$/.test(name));

/** Staleness is the connection's to keep, not the reducer's. */
function reduce(state, message) {
  switch (message.type) {
    case "snapshot":
      return fromSnapshot(message);
    case "delta":
      return applyDelta(state, message);
    case "rank":
      return applyRank(state, message);
    case "check":
      return "entries" in state ? applyCheck(state, message) : applyPlayerCheck(state, message);
    case "stale":
    case "fresh":
      return state;
    default:
      return assert.fail(`a reducer file has no ${message.type}`);
  }
}

function shown({ topic, ranks, first, position, ...state }) {
  if (!("entries" in state)) return { ...state, position, crc: playerChecksum({ ...state, position }) };
  const around = topic.split("/")[1] === "around" ? { position } : {};
  return { ...state, ...around, crc: checksum(state.entries) };
}

test("there are reducer files", () => {
  assert.ok(files.length >= 13);
});

for (const name of files) {
  const { title, steps } = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
  test(`${name}: ${title}`, () => {
    let state = null;
    for (const [index, { message, then, outOfStep, says }] of steps.entries()) {
      const step = `step ${index}: ${says ?? message.type}`;
      if (outOfStep) {
        assert.throws(() => reduce(state, message), OutOfStep, step);
        continue;
      }
      state = reduce(state, message);
      const { stale: _, ...expected } = then;
      assert.deepEqual(shown(state), expected, step);
    }
  });
}
