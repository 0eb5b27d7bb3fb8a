// Every state of the page has a link, and a link is never trusted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { MOST_WATCHED, read, write } from "../../../web/page/address.js";

const START = { board: null, watch: [], focus: null, query: "", theme: "system", view: "board", wall: false };

test("an address without anything is the start, and the start has no query", () => {
  assert.deepEqual(read(""), START);
  assert.equal(write(START), "/");
});

for (const change of [
  { board: "demo" },
  { board: "a.b_c-D", watch: ["ann", "b.o-b_"], focus: "ann" },
  { query: "大学 & more = 100%" },
  { theme: "dark" },
  { theme: "light", view: "race", wall: true },
  { board: "demo", watch: ["me"], view: "now" },
]) {
  test(`${JSON.stringify(change)} is read as it was written`, () => {
    const place = { ...START, ...change };
    assert.deepEqual(read(write(place)), place);
  });
}

for (const [search, change] of [
  ["?theme=neon&view=everything", {}],
  ["?watch=ann,<script>,ann,,bob%20x", { watch: ["ann"] }],
  ["?watch=ann&focus=bob", { watch: ["ann"] }],
  ["?focus=ann", {}],
  [`?watch=${"a".repeat(65)}`, {}],
  ["?board=&q=", {}],
]) {
  test(`what makes no sense in ${search.slice(0, 40)} is left out`, () => assert.deepEqual(read(search), { ...START, ...change }));
}

test("no link makes the page watch, or search, without bound", () => {
  const many = Array.from({ length: 50 }, (_, index) => `p${index}`);
  assert.equal(read(`?watch=${many.join(",")}`).watch.length, MOST_WATCHED);
  assert.equal(read(`?q=${"x".repeat(5000)}`).query.length, 80);
});
