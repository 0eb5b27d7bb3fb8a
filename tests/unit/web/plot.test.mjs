// From ranks and times to lines.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bumps, frameOf, stretches } from "../../../web/page/plot.js";
import { apart, rankScale, timeMarks, windowFor } from "../../../web/page/scale.js";
import { MOST_POINTS, Tracks } from "../../../web/page/tracks.js";

test("only changes are kept, and the window begins with what held then", () => {
  const tracks = new Tracks();
  for (const [at, rank] of [[0, 9], [10, 9], [20, 4], [30, 5]]) tracks.note("a", rank, at);
  assert.deepEqual(tracks.of("a", -1), [{ at: 0, rank: 9 }, { at: 20, rank: 4 }, { at: 30, rank: 5 }]);
  assert.deepEqual(tracks.of("a", 15), [{ at: 15, rank: 9 }, { at: 20, rank: 4 }, { at: 30, rank: 5 }]);
  assert.deepEqual(tracks.of("a", 99), [{ at: 99, rank: 5 }]);
  assert.deepEqual(tracks.of("b", 0), []);
});

test("a page that is open for days keeps a bounded past, the newer half of it whole", () => {
  const tracks = new Tracks();
  for (let turn = 0; turn < 50_000; turn += 1) tracks.note("a", turn % 7, turn);
  const points = tracks.of("a", -1);
  assert.ok(points.length <= MOST_POINTS);
  assert.deepEqual(points.slice(-50).map(({ at }) => at), Array.from({ length: 50 }, (_, index) => 49_950 + index));
  for (let player = 0; player < 5000; player += 1) tracks.note(`p${player}`, 1, 50_000);
  assert.equal(tracks.of("p1", 0).length, 0);
  assert.equal(tracks.of("p4999", 0).length, 1);
});

test("better ranks are drawn higher, within the frame, by their logarithm where they are far apart", () => {
  for (const ranks of [[1], [1, 2, 3], [4, 9], [1, 5000], [250, 300], []]) {
    const { at, ticks } = rankScale(ranks);
    for (const rank of ranks) assert.ok(at(rank) >= 0 && at(rank) <= 1, `${rank} of ${ranks}`);
    for (const tick of ticks) assert.ok(at(tick) >= -1e-9 && at(tick) <= 1 + 1e-9, `tick ${tick} of ${ranks}`);
    assert.ok(ticks.length >= 2 && ticks.length <= 9, `${ticks} of ${ranks}`);
    assert.ok(at(2) < at(3));
  }
  assert.ok(rankScale([1, 5000]).at(10) > 0.2);
});

test("the window holds all there is, between its bounds, with a few marks", () => {
  assert.equal(windowFor(1000), 20_000);
  assert.equal(windowFor(90_000), 90_000);
  assert.equal(windowFor(9e9), 600_000);
  for (const span of [20_000, 47_000, 90_000, 300_000, 600_000]) {
    const marks = timeMarks(span);
    assert.ok(marks.length >= 2 && marks.length <= 5, `${span}: ${marks.length}`);
    assert.ok(marks.every(({ share }) => share >= 0 && share <= 1));
  }
});

test("labels part where they would cover each other, keep their order, and stay inside", () => {
  assert.deepEqual(apart([10, 50], 12, 100), [10, 50]);
  assert.deepEqual(apart([10, 12, 11], 12, 100), [10, 34, 22]);
  assert.deepEqual(apart([98, 99], 12, 100), [88, 100]);
});

test("a line is level between changes and ends where it is told", () => {
  assert.equal(bumps([{ x: 0, y: 5 }], 40), "M0.0 5.0L40.0 5.0");
  const path = bumps([{ x: 0, y: 5 }, { x: 20, y: 9 }], 40);
  assert.match(path, /^M0\.0 5\.0L13\.0 5\.0C20\.0 5\.0 20\.0 9\.0 27\.0 9\.0L40\.0 9\.0$/);
});

test("changes in quick succession never draw a line backwards", () => {
  const corners = Array.from({ length: 60 }, (_, index) => ({ x: index * 1.3, y: index % 5 }));
  const numbers = bumps(corners, 80).match(/[\d.]+ [\d.]+/g).map((pair) => Number(pair.split(" ")[0]));
  numbers.reduce((before, x) => (assert.ok(x >= before - 1e-9), x));
});

test("a line parts where the player was not ranked", () => {
  const points = [{ at: 0, rank: 3 }, { at: 5, rank: null }, { at: 9, rank: 4 }];
  assert.deepEqual(stretches(points), [[{ at: 0, rank: 3 }], [{ at: 9, rank: 4 }]]);
  assert.deepEqual(stretches([{ at: 0, rank: null }]), []);
});

test("names have room at the end, more on a broad plot", () => {
  const [narrow, broad] = [frameOf({ width: 340, height: 200 }, 1), frameOf({ width: 700, height: 200 }, 1)];
  assert.ok(narrow.right > narrow.left && narrow.letters >= 8);
  assert.ok(broad.letters > narrow.letters);
});
