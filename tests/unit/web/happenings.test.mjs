// What is worth telling, and at what pace.

import assert from "node:assert/strict";
import { test } from "node:test";

import { happenings } from "../../../web/page/happenings.js";
import { PATIENCE_MS, Waiting, sentence } from "../../../web/page/ticker.js";

let seq = 100;
/** A list in order; whoever is in `scored` has a new seq. */
const list = (players, scored = []) =>
  players.map((player, index) => ({ player, name: player.toUpperCase(), rank: index + 1, score: 1, seq: scored.includes(player) ? (seq += 1) : 1 }));
const told = (before, after, watched = []) =>
  happenings(before, after, new Set(watched)).map(({ kind, entry, past, others }) => [kind, entry.player, past?.player ?? null, others]);

const many = (count) => Array.from({ length: count }, (_, index) => `p${index + 1}`);
const moved = (players, from, to) => {
  const next = [...players];
  const [who] = next.splice(from - 1, 1);
  next.splice(to - 1, 0, who);
  return [list(players), list(next, [who])];
};

test("who takes the first place has taken it from somebody", () => {
  assert.deepEqual(told(...moved(many(5), 2, 1)), [["leads", "p2", "p1", 0]]);
});

test("the first three and the first ten are news of their own", () => {
  assert.deepEqual(told(...moved(many(20), 6, 3))[0].slice(0, 2), ["podium", "p6"]);
  assert.deepEqual(told(...moved(many(20), 15, 9))[0].slice(0, 2), ["top10", "p15"]);
});

test("who passes is told with the best of those who were passed", () => {
  assert.deepEqual(told(...moved(many(30), 20, 16)), [["passes", "p20", "p16", 3]]);
});

test("those who give way have done nothing", () => {
  const [before, after] = moved(many(30), 20, 16);
  assert.equal(told(before, after).length, 1);
});

test("a score that wins no rank is not told", () => {
  assert.deepEqual(told(list(["a", "b"]), list(["a", "b"], ["b"])), []);
});

test("one who is watched and passed is named before others, and weighs more", () => {
  const [before, after] = moved(many(30), 20, 16);
  assert.deepEqual(told(before, after, ["p18"]), [["passes", "p20", "p18", 3]]);
  const [plain] = happenings(before, after, new Set());
  const [watched] = happenings(before, after, new Set(["p18"]));
  assert.ok(watched.weight > plain.weight);
});

test("who comes into sight joins, who shares a better rank draws level", () => {
  const before = list(many(20));
  assert.deepEqual(told(before.slice(0, 15), list([...many(14), "p99", "p15"], ["p99"])), [["joins", "p99", "p15", 0]]);
  assert.deepEqual(told(before.slice(0, 15), list([...many(14), "p99", "p15"], ["p99"]), ["p15"]), [["passes", "p99", "p15", 0]]);
  const level = list(many(20), ["p13"]).map((one) => (one.player === "p13" ? { ...one, rank: 12 } : one));
  assert.deepEqual(told(before, level), [["level", "p13", "p12", 0]]);
});

test("the weightiest comes first", () => {
  const before = list(many(30));
  const players = many(30).filter((player) => player !== "p2" && player !== "p25");
  const after = list(["p2", ...players.slice(0, 18), "p25", ...players.slice(18)], ["p2", "p25"]);
  assert.deepEqual(told(before, after).map(([kind]) => kind), ["leads", "passes"]);
});

for (const [happening, text] of [
  [{ kind: "leads", past: "b" }, "A takes the lead from B"],
  [{ kind: "podium", rank: 3 }, "A climbs to 3rd"],
  [{ kind: "top10", rank: 7, past: "b" }, "A enters the top 10, at 7th"],
  [{ kind: "passes", rank: 22, past: "b", others: 0 }, "A passes B, now 22nd"],
  [{ kind: "passes", rank: 1111, past: "b", others: 3 }, "A passes B and 3 more, now 1,111th"],
  [{ kind: "level", rank: 12, past: "b" }, "A draws level with B"],
  [{ kind: "joins", rank: 88 }, "A comes in at 88th"],
]) {
  test(`it reads: ${text}`, () => {
    const { kind, rank = 1, past, others = 0 } = happening;
    const whole = { kind, entry: { player: "a", name: "A", rank, score: 1, seq: 1 }, past: past ? { player: past, name: "B" } : null, others, weight: 1 };
    assert.equal(sentence(whole).map((part) => part.text).join(""), text);
  });
}

const waiting = (...weights) => weights.map((weight) => ({ weight }));

test("of those that wait the weightiest is told, of two alike the earlier", () => {
  const queue = new Waiting();
  const [light, first] = waiting(1, 5);
  const [second] = waiting(5);
  queue.add([light, first], 0);
  queue.add([second], 10);
  assert.equal(queue.take(20).happening, first);
  assert.equal(queue.take(20).happening, second);
  assert.equal(queue.take(20).happening, light);
  assert.equal(queue.take(20), null);
});

test("what has waited too long is not told any more", () => {
  const queue = new Waiting();
  queue.add(waiting(9), 0);
  queue.add(waiting(1), PATIENCE_MS);
  assert.equal(queue.take(PATIENCE_MS + 1).happening.weight, 1);
});

test("a storm does not make the queue grow", () => {
  const queue = new Waiting();
  for (let turn = 0; turn < 1000; turn += 1) queue.add(waiting(1, 2, 3), 0);
  let size = 0;
  while (queue.take(0) !== null) size += 1;
  assert.ok(size <= 60);
});
