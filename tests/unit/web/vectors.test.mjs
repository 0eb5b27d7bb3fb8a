// The browser's reducer over the golden files that every client runs (tests/vectors/README.md).

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { checksum, follow, OutOfStep } from "../../../web/client/reducer.js";

const folder = new URL("../../vectors/", import.meta.url);
const files = readdirSync(folder).filter((name) => /^reducer\..*\.json$/.test(name));

function shown({ topic, ranks, first, position, asOf, ...rest }) {
  const state = { ...rest, stale: asOf !== null };
  if (!("entries" in state)) return { ...state, position, crc: checksum(state.seq === null ? [] : [state]) };
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
        assert.throws(() => follow(state, message), OutOfStep, step);
        continue;
      }
      state = follow(state, message);
      assert.deepEqual(shown(state), then, step);
    }
  });
}
