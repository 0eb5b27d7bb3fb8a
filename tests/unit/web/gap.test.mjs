// What one score lacks against another, exact to the last digit.

import assert from "node:assert/strict";
import { test } from "node:test";

import { whatItTakes } from "../../../web/page/gap.js";
import { rivals, topShare } from "../../../web/page/rivals.js";

const CONTEST = [{ name: "solved", direction: "desc" }, { name: "penalty", direction: "asc" }];
const TIME = [{ name: "time", direction: "asc", decimals: 3 }];
const POINTS = [{ name: "score", direction: "desc" }];

for (const [mine, theirs, columns, text] of [
  [[6, 9000], [6, 8000], CONTEST, "1,001 less penalty"],
  [[5, 100], [6, 8000], CONTEST, "1 more solved, with penalty under 8,000"],
  [[5, 100], [9, 8000], CONTEST, "4 more solved, with penalty under 8,000"],
  [[6, 8000], [6, 8000], CONTEST, "any gain"],
  [12_345, 12_000, TIME, "0.346 less time"],
  [10, 25, POINTS, "16 more"],
  [-5, 5, POINTS, "11 more"],
  ["-9223372036854775808", "9223372036854775807", POINTS, "18,446,744,073,709,551,616 more"],
  ["9223372036854775806", "9223372036854775807", POINTS, "2 more"],
]) {
  test(`from ${mine} past ${theirs} it takes ${text}`, () => assert.equal(whatItTakes(mine, theirs, columns), text));
}

// Found by trying every smaller change: the amount that is told passes, and one less does not.
test("what is told is the least that passes", () => {
  const passes = (mine, theirs) => mine[0] > theirs[0] || (mine[0] === theirs[0] && mine[1] < theirs[1]);
  for (let solved = 0; solved < 4; solved += 1) {
    for (let penalty = 1; penalty < 5; penalty += 1) {
      const [mine, theirs] = [[solved, penalty + 3], [3, penalty]];
      const told = whatItTakes(mine, theirs, CONTEST);
      const amount = Number(told.split(" ")[0]);
      const after = (by) => (told.includes("less") ? [solved, penalty + 3 - by] : [solved + by, penalty - 1]);
      assert.ok(passes(after(amount), theirs), told);
      assert.ok(!passes(after(amount - 1), theirs), told);
    }
  }
});

const entry = (player, rank, score) => ({ player, rank, score, seq: rank });

test("the rivals are those of the next better and the next worse rank, not who is level", () => {
  const entries = [entry("a", 1, 9), entry("b", 2, 7), entry("c", 2, 7), entry("d", 2, 7), entry("e", 5, 4)];
  const found = rivals(entries[2], entries, POINTS);
  assert.deepEqual([found.ahead.player, found.behind.player, found.level], ["a", "e", "Level with 2"]);
  assert.deepEqual([found.toPass, found.toBePassed], ["3 more", "4 more"]);
});

test("who leads has nobody ahead, and the last nobody behind", () => {
  const entries = [entry("a", 1, 9), entry("b", 2, 7)];
  assert.equal(rivals(entries[0], entries, POINTS).ahead, null);
  assert.equal(rivals(entries[1], entries, POINTS).behind, null);
});

test("where all in sight are level, there may be more of them", () => {
  const entries = [entry("a", 7, 5), entry("b", 7, 5), entry("c", 7, 5)];
  assert.equal(rivals(entries[1], entries, POINTS).level, "Level with 2 or more");
  assert.equal(rivals(entry("x", 1, 5), [entry("x", 1, 5), entry("y", 2, 4)], POINTS).level, "");
});

for (const [rank, total, text] of [
  [1, 10, ""],
  [1, 2353, "top 0.1 %"],
  [14, 2353, "top 0.6 %"],
  [300, 2118, "top 15 %"],
  [2353, 2353, "top 100 %"],
  [5, 3, ""],
]) {
  test(`${rank} of ${total} is ${text || "not told as a share"}`, () => assert.equal(topShare(rank, total).replace("\u202f", " "), text));
}
