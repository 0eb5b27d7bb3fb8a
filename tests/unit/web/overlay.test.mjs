// What an overlay's address may say.

import assert from "node:assert/strict";
import { test } from "node:test";

import { attributesOf, cornerOf, paintOf, POSITIONS, read, START, write } from "../../../web/overlay/options.js";

test("an address that says nothing is the start, and the start says nothing", () => {
  assert.deepEqual(read(""), START);
  assert.equal(write(read("")), "");
});

test("what is written is read again", () => {
  const options = {
    ...START,
    board: "arcade",
    limit: 8,
    player: "E10",
    heading: "Finale & Co, 50% off",
    position: "bottom-right",
    width: 700,
    margin: 0,
    scale: 150,
    opacity: 0,
    theme: "light",
    accent: "ff8800",
    density: "compact",
    pictures: "none",
    columns: "rank,move",
    numbers: "clock",
    locale: "pt-BR",
  };
  assert.deepEqual(read(write(options)), options);
  assert.deepEqual(read(write({ ...options, view: "around", radius: 4, limit: START.limit })), { ...options, view: "around", radius: 4, limit: START.limit });
});

test("an address says only what differs and matters", () => {
  assert.equal(write({ ...START, board: "arcade", limit: 8 }), "?board=arcade&limit=8");
  assert.equal(write({ ...START, board: "arcade", radius: 7 }), "?board=arcade");
  assert.equal(write({ ...START, board: "arcade", view: "around" }), "?board=arcade");
  assert.equal(write({ ...START, board: "arcade", view: "around", player: "p", limit: 9 }), "?board=arcade&view=around&player=p");
  assert.equal(write({ ...START, board: "arcade", heading: "" }), "?board=arcade&heading=");
});

test("what makes no sense is as if it were not there", () => {
  const search = "?board=../x&limit=many&player=<b>&position=nowhere&theme=pink&accent=red&density=1&numbers=roman&width=1e9&opacity=-5&view=all";
  assert.deepEqual(read(search), START);
});

test("numbers stay within their bounds", () => {
  const { limit, width, opacity, scale, margin } = read("?limit=0&width=9999&opacity=101&scale=1&margin=9999");
  assert.deepEqual([limit, width, opacity, scale, margin], [1, 1920, 100, 50, 400]);
});

test("the widget is told what is shown", () => {
  const told = new Map(attributesOf(read("?board=arcade&limit=3&heading=")));
  assert.equal(told.get("board"), "arcade");
  assert.equal(told.get("limit"), "3");
  assert.equal(told.get("view"), "top");
  assert.equal(told.get("heading"), "");
  assert.equal(told.has("quiet"), true);
  assert.equal(told.has("player"), false);
  assert.equal(new Map(attributesOf(read("?board=a"))).has("heading"), false);
});

test("nobody is in the middle of rows around nobody", () => {
  assert.equal(new Map(attributesOf(read("?board=a&view=around"))).get("view"), "top");
  assert.equal(new Map(attributesOf(read("?board=a&view=around&player=p"))).get("view"), "around");
});

test("every colour is said in full: no old browser is asked what light and dark are", () => {
  for (const theme of ["dark", "light"]) {
    for (const value of Object.values(paintOf(read(`?theme=${theme}`)))) assert.doesNotMatch(value, /light-dark|color-mix|undefined|NaN/);
  }
});

test("what lies behind is as thick as is said, and thin makes letters shine", () => {
  const thick = paintOf(read("?opacity=90"));
  assert.equal(thick["--leaderboard-paper"], "rgb(13 15 17 / 90%)");
  assert.equal(thick["--halo"], "none");
  const none = paintOf(read("?opacity=0&accent=%23FF8800"));
  assert.equal(none["--leaderboard-border"], "transparent");
  assert.notEqual(none["--halo"], "none");
  assert.equal(none["--leaderboard-accent"], "#ff8800");
});

test("nine places are nine places", () => {
  assert.equal(new Set(POSITIONS.map((position) => cornerOf(position).join())).size, 9);
  assert.deepEqual(cornerOf("bottom-right"), ["end", "end"]);
  assert.deepEqual(cornerOf("top"), ["start", "center"]);
  assert.deepEqual(cornerOf("left"), ["center", "start"]);
});
