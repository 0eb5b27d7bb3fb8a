// Who is meant by what was typed; and times, told.

import assert from "node:assert/strict";
import { test } from "node:test";

import { newest } from "../../../web/page/delay.js";
import { ago, milliseconds, ordinal } from "../../../web/page/format.js";
import { folded, matches } from "../../../web/page/matching.js";
import { Meter } from "../../../web/page/meter.js";
import { next } from "../../../web/page/theme.js";

const NAMES = ["Ana Sofía", "nameless story", "Story of Nemesis", "哈尔滨工业大学", "ＦＵＬＬ width", null];
const ENTRIES = NAMES.map((name, index) => ({ player: `p${index}`, name, rank: index + 1, score: 1, seq: 1 }));
const found = (query) => matches(query, ENTRIES, 8).map(({ player }) => player);

for (const [query, players] of [
  ["sofia", ["p0"]],
  ["SOFÍA", ["p0"]],
  ["story", ["p2", "p1"]],
  ["工业", ["p3"]],
  ["full", ["p4"]],
  ["p5", ["p5"]],
  ["p", ["p5", "p0", "p1", "p2", "p3", "p4"]],
  ["nobody", []],
  ["   ", []],
]) {
  test(`${JSON.stringify(query)} finds ${players.join(", ") || "nobody"}`, () => assert.deepEqual(found(query), players));
}

test("an exact id comes before any name, and no more than asked come", () => {
  const twins = [{ player: "x", name: "ann", rank: 1 }, { player: "ann", name: "x", rank: 2 }];
  assert.deepEqual(matches("ann", twins, 8).map(({ player }) => player), ["ann", "x"]);
  assert.equal(matches("p", ENTRIES, 2).length, 2);
});

test("what is typed is a text, not a pattern", () => {
  assert.deepEqual(found(".*"), []);
  assert.equal(folded("  ÀÉ "), "ae");
});

test("the middle and the slow end of the newest values", () => {
  const meter = new Meter(10);
  assert.equal(meter.at(0.5), null);
  for (let value = 1; value <= 30; value += 1) meter.add(value);
  assert.deepEqual(meter.values, [21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  assert.equal(meter.at(0.5), 26);
  assert.equal(meter.at(0.9), 30);
  meter.clear();
  assert.equal(meter.at(0.9), null);
});

for (const [rank, text] of [[1, "1st"], [2, "2nd"], [3, "3rd"], [11, "11th"], [112, "112th"], [1021, "1,021st"]]) {
  test(`${rank} is ${text}`, () => assert.equal(ordinal(rank), text));
}

test("times are as short as can be", () => {
  assert.deepEqual([0, 3000, 12_000, 61_000, 7_300_000].map(ago), ["now", "now", "12s", "1m", "2h"]);
  assert.deepEqual([4.26, 48.4, 1234].map(milliseconds), ["4.3 ms", "48 ms", "1,234 ms"]);
});

test("the theme goes round", () => assert.deepEqual(["system", "light", "dark"].map(next), ["light", "dark", "system"]));

const state = (...entries) => ({ entries: entries.map(([player, seq]) => ({ player, seq })) });

test("the score that is measured is the newest of a step, if one is in sight", () => {
  assert.equal(newest(state(["a", 1], ["b", 2]), state(["b", 9], ["a", 8])).player, "b");
  assert.equal(newest(state(["a", 1]), state(["c", 5], ["a", 1])).player, "c");
  assert.equal(newest(state(["a", 1], ["b", 2]), state(["b", 2], ["a", 1])), null);
  assert.equal(newest(state(["a", 7], ["b", 8]), state(["b", 8], ["old", 3])), null);
});
