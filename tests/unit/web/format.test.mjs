// What people read.

import assert from "node:assert/strict";
import { test } from "node:test";

import { countryName, displayName, formatScore, initials, orderSentence, pictureAddress, tintOf } from "../../../web/page/format.js";

for (const [value, decimals, text] of [
  [0, 0, "0"],
  [55_500, 0, "55,500"],
  [-1200, 0, "−1,200"],
  [12_345, 3, "12.345"],
  [5, 3, "0.005"],
  [-5, 3, "−0.005"],
  [0, 2, "0.00"],
  [123_456_789, 2, "1,234,567.89"],
  ["9223372036854775807", 0, "9,223,372,036,854,775,807"],
  ["-9223372036854775808", 9, "−9,223,372,036.854775808"],
]) {
  test(`${value} with ${decimals} decimals reads ${text}`, () => {
    assert.equal(formatScore(value, decimals), text);
  });
}

for (const [name, letters] of [
  ["nameless story", "NS"],
  ["Ana Sofía Ruiz", "AS"],
  ["丝路市西套村代表队", "丝"],
  ["Escape", "E"],
  ["O'Neill", "O"],
  ["ß", "SS"],
  ["<script>alert(1)</script>", "S"],
  ["👩‍👩‍👧‍👦 family", "👩‍👩‍👧‍👦"],
  ["2024杭电2队", "2"],
  ["!!!", "?"],
  ["Z̸̨̢̛̺̱͕̟͑͗a̷͎̘͋͂l̵̝̀g̸̛̥o", "Z"],
  ["é", "É"],
]) {
  test(`the initials of ${JSON.stringify(name)} are ${letters}`, () => {
    assert.equal(initials(name), letters);
  });
}

for (const name of [null, undefined, "", "   ", "\u200b\u200b", "\u202e\u202c", "\u3164", "\u00ad"]) {
  test(`a name of ${JSON.stringify(name)} shows the player's id`, () => {
    assert.equal(displayName({ player: "p1", name }), "p1");
  });
}

test("a name stays on one line", () => {
  assert.equal(displayName({ player: "p1", name: " two\n lines\tand tabs " }), "two lines and tabs");
});

test("a tint is one of twelve and always the same, and neighbours differ", () => {
  const tints = Array.from({ length: 40 }, (_, index) => tintOf(`E${index}`));
  assert.deepEqual(tints, Array.from({ length: 40 }, (_, index) => tintOf(`E${index}`)));
  assert.ok(tints.every((tint) => Number.isInteger(tint) && tint >= 0 && tint < 12));
  assert.ok(new Set(tints).size > 8);
});

test("the order of a board is a sentence", () => {
  const columns = [{ name: "solved", direction: "desc" }, { name: "penalty", direction: "asc" }];
  assert.equal(orderSentence(columns, "competition"), "Highest solved, then lowest penalty. Equal scores share a rank.");
  assert.equal(orderSentence([columns[0]], "ordinal"), "Highest solved, then whoever got there first.");
});

test("pictures come from the web only", () => {
  const base = "https://board.example/";
  assert.equal(pictureAddress("/p/1.png", base), "https://board.example/p/1.png");
  assert.equal(pictureAddress("https://cdn.example/1.png", base), "https://cdn.example/1.png");
  for (const address of [null, "", "javascript:alert(1)", "data:image/svg+xml,x", "file:///etc/passwd", "http://[", "blob:x"]) {
    assert.equal(pictureAddress(address, base), null);
  }
});

test("a country that is no code has no name", () => {
  assert.equal(countryName("CN"), "China");
  for (const code of [null, undefined, "", "C", "CHN", "<b>", "Q1"]) assert.equal(countryName(code), "");
});
