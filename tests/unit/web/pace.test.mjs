// Whether the machine keeps up with what glides.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LONGEST_PAUSE_MS, PAUSE_MS, Pace } from "../../../web/page/pace.js";

const FRAME_MS = 1000 / 60;

/** A page whose clock goes only as it is told to. */
class Page {
  pace = new Pace();
  now = 5_000;

  /** Glide for so long, with frames as far apart as these, over and over. */
  glide(ms, ...gaps) {
    this.pace.frame(this.now);
    for (let [turn, end] = [0, this.now + ms]; this.now < end; turn += 1) {
      this.now += gaps[turn % gaps.length];
      this.pace.frame(this.now);
    }
    this.pace.rest();
    return this.lively;
  }

  get lively() {
    return this.pace.keepsUp(this.now);
  }
}

for (const [what, gaps] of [
  ["every frame in time", [FRAME_MS]],
  ["a display of 144 Hz, and a machine that makes as many frames as others have", [1000 / 144, 2000 / 144, 2000 / 144]],
  ["a display of 30 Hz", [1000 / 30]],
  ["a frame in twelve missed", [...Array(10).fill(FRAME_MS), 2 * FRAME_MS]],
]) test(`rows glide on with ${what}`, () => assert.equal(new Page().glide(60_000, ...gaps), true));

for (const [what, gaps] of [
  ["a frame in nine missed", [...Array(7).fill(FRAME_MS), 2 * FRAME_MS]],
  ["every second frame missed", [FRAME_MS, 2 * FRAME_MS, 2 * FRAME_MS]],
  ["frames now in time, now very late", [FRAME_MS, 5 * FRAME_MS]],
  ["no frame in time", [4 * FRAME_MS]],
  ["frames that take half a second", [500]],
  ["frames that take even longer", [1_400]],
]) {
  test(`rows stand still with ${what}, but not at once`, () => {
    const page = new Page();
    assert.equal(page.glide(1_000, ...gaps), true);
    assert.equal(page.glide(9_000, ...gaps), false);
  });
}

test("a hiccup is no reason, however long", () => {
  const page = new Page();
  for (const hiccup of [200, 900, 3_000, 600_000]) {
    page.glide(700, FRAME_MS);
    assert.equal(page.glide(1, hiccup), true);
    assert.equal(page.glide(2_000, FRAME_MS), true);
  }
});

test("nor are two in a row", () => assert.equal(new Page().glide(3_000, 2_000), true));

test("while the page is hidden no frame is late", () => assert.equal(new Page().glide(62_000, 4_000), true));

test("the time between two glides is no frame's", () => {
  const page = new Page();
  for (let turn = 0; turn < 100; turn += 1) {
    // The frames that glide come in time, and what lies between them is as long as a late one.
    page.glide(FRAME_MS, FRAME_MS);
    page.now += 4 * FRAME_MS;
  }
  assert.equal(page.lively, true);
});

test("short glides are judged together where they follow one another, and not where they are far apart", () => {
  const page = new Page();
  for (let turn = 0; turn < 20; turn += 1) {
    page.now += 20_000;
    page.glide(700, 3 * FRAME_MS);
  }
  assert.equal(page.lively, true);
  page.now += 20_000;
  for (let turn = 0; turn < 3; turn += 1) {
    page.now += 1_000;
    page.glide(700, 3 * FRAME_MS);
  }
  assert.equal(page.lively, false);
});

/** Until it stands still; how long it then does. */
function pauseOf(page) {
  for (let turn = 0; page.lively; turn += 1) {
    assert.ok(turn < 100, "it never stood still");
    page.glide(100, 3 * FRAME_MS);
  }
  const from = page.now;
  while (!page.lively) page.now += 100;
  return Math.round((page.now - from) / 1000) * 1000;
}

test("it is tried again after a while, less and less often where it fails, and as often as before once it went well", () => {
  const page = new Page();
  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => pauseOf(page)),
    [PAUSE_MS, 2 * PAUSE_MS, 4 * PAUSE_MS, LONGEST_PAUSE_MS, LONGEST_PAUSE_MS],
  );
  page.glide(3_000, FRAME_MS);
  assert.equal(pauseOf(page), PAUSE_MS);
});

test("a machine that failed is not looked at for long when it is tried again", () => {
  const page = new Page();
  pauseOf(page);
  assert.equal(page.glide(300, 3 * FRAME_MS), true);
  assert.equal(page.glide(200, 3 * FRAME_MS), false);
});

test("one late frame in a trial is a hiccup, too", () => {
  const page = new Page();
  pauseOf(page);
  page.glide(100, FRAME_MS);
  page.glide(1, 290);
  assert.equal(page.glide(500, FRAME_MS), true);
});

test("a trial that went well by chance is not yet a machine that keeps up", () => {
  const page = new Page();
  pauseOf(page);
  page.glide(600, FRAME_MS);
  assert.equal(page.lively, true);
  assert.equal(pauseOf(page), 2 * PAUSE_MS);
});

test("what comes to rest while it stands still is not judged", () => {
  const page = new Page();
  page.glide(3_000, 3 * FRAME_MS);
  assert.equal(page.lively, false);
  page.glide(8_000, 3 * FRAME_MS);
  page.now += PAUSE_MS;
  assert.equal(page.lively, true);
});
