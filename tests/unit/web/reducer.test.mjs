// What the golden files (vectors.test.mjs) do not say of the reducer: that it is pure, and cheap for a view.

import assert from "node:assert/strict";
import { test } from "node:test";

import { crc32 } from "../../../web/client/crc32.js";
import { checksum, follow, OutOfStep, since } from "../../../web/client/reducer.js";

const entry = (player, score, seq) => ({ player, name: player, score, seq });

function board(ranks = "competition") {
  return follow(null, {
    type: "snapshot",
    topic: "t",
    epoch: 1,
    version: 1,
    total: 4,
    ranks,
    entries: [entry("a", [9, 1], 1), entry("b", [8, 1], 2), entry("c", [8, 1], 3), entry("d", [7, 5], 4)],
  });
}

const delta = (ops, from = 1) => ({ type: "delta", topic: "t", epoch: 1, from, to: from + 1, total: 4, ops });

test("the checksum is zip's", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
  assert.equal(crc32(""), 0);
  assert.equal(crc32("哈尔滨\n"), 0x92478528);
});

test("equal columns share a rank in competition and do not in ordinal", () => {
  assert.deepEqual(board().entries.map(({ rank }) => rank), [1, 2, 2, 4]);
  assert.deepEqual(board("ordinal").entries.map(({ rank }) => rank), [1, 2, 3, 4]);
});

test("columns beyond what a number holds are told apart", () => {
  const entries = [entry("a", "9223372036854775807", 1), entry("b", "9223372036854775806", 2), entry("c", "9223372036854775806", 3)];
  const state = follow(null, { type: "snapshot", topic: "t", epoch: 1, version: 1, total: 3, ranks: "competition", entries });
  assert.deepEqual(state.entries.map(({ rank }) => rank), [1, 2, 2]);
});

test("a list that begins further down counts from its first row's rank", () => {
  const entries = [{ ...entry("a", 5, 1), rank: 41 }, entry("b", 4, 2)];
  const state = follow(null, { type: "snapshot", topic: "t", epoch: 1, version: 1, total: 90, ranks: "ordinal", entries });
  assert.deepEqual(state.entries.map(({ rank }) => rank), [41, 42]);
});

test("a delta changes neither the state before nor its own ops", () => {
  const before = board();
  const copy = structuredClone(before);
  const change = delta([["move", 3, 0, { score: [10, 5], seq: 9 }], ["in", 1, entry("e", [9, 9], 8)], ["out", 4]]);
  const kept = structuredClone(change);
  follow(before, change);
  assert.deepEqual(before, copy);
  assert.deepEqual(change, kept);
});

test("an entry that a delta does not touch stays the same object", () => {
  const before = board();
  const after = follow(before, delta([["set", 3, { name: "D" }]]));
  assert.equal(after.entries[0], before.entries[0]);
  assert.notEqual(after.entries[3], before.entries[3]);
});

test("a patch replaces whole fields, and null is a value", () => {
  const after = follow(board(), delta([["set", 0, { score: [9, 2], country: null }]]));
  assert.deepEqual(after.entries[0].score, [9, 2]);
  assert.equal(after.entries[0].country, null);
});

for (const op of [["out", 4], ["out", -1], ["out", 0.5], ["in", 6, entry("e", [1, 1], 9)], ["move", 0, 4, {}], ["set", 4, {}], ["shuffle"]]) {
  test(`the op ${JSON.stringify(op)} does not fit a list of four, and leaves it as it was`, () => {
    const before = board();
    const copy = structuredClone(before);
    assert.throws(() => follow(before, delta([["set", 0, { name: "A" }], op])), OutOfStep);
    assert.deepEqual(before, copy);
  });
}

test("a check that is older than the list says nothing about it", () => {
  const state = follow(board(), delta([["out", 3]]));
  assert.equal(follow(state, { type: "check", topic: "t", epoch: 1, version: 1, total: 4, crc: 1 }), state);
});

test("a check of what is held is nothing new", () => {
  const list = board();
  assert.equal(follow(list, { type: "check", topic: "t", epoch: 1, version: list.version, total: list.total, crc: checksum(list.entries) }), list);
  const where = { epoch: 1, version: 3, of: 5, rank: 2, position: 1, player: "a", seq: 9, name: null, moved: 1, passed_by: [], asOf: null };
  assert.equal(follow(where, { type: "check", topic: "t/player/a", epoch: 1, version: 3, total: 5, rank: 2, crc: checksum([where]) }), where);
});

test("a check of the same list carries version and total forward, and keeps the rows", () => {
  const before = board();
  const after = follow(before, { type: "check", topic: "t", epoch: 1, version: 9, total: 50, crc: checksum(before.entries) });
  assert.deepEqual([after.version, after.total], [9, 50]);
  assert.equal(after.entries, before.entries);
});

test("around a player, a first row may share its rank with rows that are not there", () => {
  const entries = [{ ...entry("a", 5, 1), rank: 3 }, entry("b", 4, 2)];
  const head = { type: "snapshot", topic: "t", epoch: 1, version: 1, total: 90, position: 5, entries };
  assert.deepEqual(follow(null, { ...head, ranks: "competition" }).entries.map(({ rank }) => rank), [3, 7]);
  const moved = { ...delta([]), position: 6, rank: 4 };
  const after = follow(follow(null, { ...head, ranks: "competition" }), moved);
  assert.deepEqual([after.position, ...after.entries.map(({ rank }) => rank)], [6, 4, 8]);
});
