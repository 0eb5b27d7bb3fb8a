// The console's own arithmetic: figures, the form of a board, tokens.

import assert from "node:assert/strict";
import { test } from "node:test";

import { documentOf, draftOf, newDraft, shown, stored } from "../../../web/console/board_document.js";
import { count, lag, most, NOTHING, rate, size, span, sum } from "../../../web/console/figures.js";
import { claims, forget, keep, kept, tokenIn } from "../../../web/console/token.js";

test("what is not known is told as such", () => {
  for (const written of [count, rate, lag, size]) {
    for (const value of [null, undefined, NaN, "x"]) assert.equal(written(value), NOTHING);
  }
});

test("a time is told in the unit in which it is read", () => {
  assert.equal(lag(0.0042), "4.2 ms");
  assert.equal(lag(0.075), "75 ms");
  assert.equal(lag(2.54), "2.5 s");
  assert.equal(span(0), "0 s");
  assert.equal(span(59_400), "59 s");
  assert.equal(span(60_000), "1 min");
  assert.equal(span(3_600_000), "1 h");
  assert.equal(span(3_660_000), "1 h 1 min");
  assert.equal(span(86_400_000), "1 d");
  assert.equal(span((24 + 3) * 3_600_000), "1 d 3 h");
  assert.equal(span(-5), "0 s");
});

test("sizes and rates are short", () => {
  assert.equal(size(999), "999 B");
  assert.equal(size(1500), "1.5 kB");
  assert.equal(size(2_000_000), "2 MB");
  assert.equal(rate(5.44), "5.4");
  assert.equal(rate(0), "0");
  assert.equal(count(1_250_000), "1.25M");
});

test("what none tells is not zero", () => {
  assert.equal(sum([{ a: 1 }, { a: null }, { a: 2 }], "a"), 3);
  assert.equal(sum([{ a: null }], "a"), null);
  assert.equal(sum([], "a"), null);
  assert.equal(most([{ a: 1 }, { a: 4 }, {}], "a"), 4);
  assert.equal(most([{}], "a"), null);
});

const DOCUMENT = {
  board: "laps",
  title: "Laps",
  columns: [
    { name: "total", direction: "asc", decimals: 3 },
    { name: "stops", direction: "desc", decimals: 0 },
  ],
  operator: "sum",
  ranks: "ordinal",
  writes: "player",
  public: false,
  minimum: [0, null],
  maximum: ["9223372036854775807", 12],
  season: 1,
  revision: 4,
};

test("a board that nobody touched is sent back as it was", () => {
  const { board, season, revision, ...rest } = DOCUMENT;
  assert.deepEqual(documentOf(draftOf(DOCUMENT)), rest);
  const plain = { ...DOCUMENT, columns: DOCUMENT.columns.slice(0, 1), minimum: 5, maximum: null };
  const { minimum, maximum } = documentOf(draftOf(plain));
  assert.deepEqual([minimum, maximum], [5, null]);
});

test("a new board is one that the service takes", () => {
  assert.deepEqual(documentOf({ ...newDraft(), board: "arcade" }), {
    title: "",
    columns: [{ name: "score", direction: "desc", decimals: 0 }],
    operator: "best",
    ranks: "competition",
    writes: "server",
    public: true,
    minimum: null,
    maximum: null,
  });
});

test("bounds are typed as scores are read, and exact to the last digit", () => {
  assert.equal(shown(12345, 3), "12.345");
  assert.equal(shown(-5, 2), "-0.05");
  assert.equal(shown(null, 2), "");
  assert.equal(stored("12.3", 3), 12300);
  assert.equal(stored("-0.05", 2), -5);
  assert.equal(stored("\u22127", 0), -7);
  assert.equal(stored(" ", 0), null);
  assert.equal(stored("9223372036854775807", 0), "9223372036854775807");
  for (const value of [0, 7, -7, 12345, "9223372036854775807", "-9223372036854775808"]) {
    for (const decimals of [0, 1, 9]) assert.equal(stored(shown(value, decimals), decimals), value);
  }
});

test("what cannot be a bound is said so", () => {
  assert.throws(() => stored("1.5", 0), /has decimals, the column has none/);
  assert.throws(() => stored("1.555", 2), /more than 2 decimals/);
  assert.throws(() => stored("1e3", 0), /is no number/);
  assert.throws(() => stored("9223372036854775808", 0), /too large/);
});

test("what the service would refuse is said before it is sent", () => {
  const draft = { ...newDraft(), board: "arcade" };
  const column = draft.columns[0];
  assert.throws(() => documentOf({ ...draft, board: "a b" }), /An id has/);
  assert.throws(() => documentOf({ ...draft, columns: [{ ...column, name: "" }] }), /column's name/);
  assert.throws(() => documentOf({ ...draft, columns: [column, column] }), /the same name/);
  assert.throws(() => documentOf({ ...draft, columns: [{ ...column, decimals: "10" }] }), /Decimals are 0 to 9/);
  assert.throws(() => documentOf({ ...draft, columns: [{ ...column, decimals: "" }] }), /Decimals/);
});

test("a token is taken as it is pasted, or not at all", () => {
  assert.equal(tokenIn("  eyJ.abc-_.x  "), "eyJ.abc-_.x");
  assert.equal(tokenIn("Authorization: Bearer eyJ.a.b"), "eyJ.a.b");
  for (const text of ["", "two words", "ä", "a\nb", '{"token":"x"}']) assert.equal(tokenIn(text), null);
});

test("a token tells whose it is and when it ends, or nothing", () => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  assert.deepEqual(claims(`${part({})}.${part({ sub: "Zoë", exp: 1_800_000_000 })}.x`), { subject: "Zoë", ends: 1_800_000_000_000 });
  assert.deepEqual(claims(`${part({})}.${part({ sub: "a", username: "ann" })}.x`), { subject: "ann", ends: null });
  for (const text of ["", "a.b.c", "a"]) assert.deepEqual(claims(text), { subject: "", ends: null });
});

test("a token is kept in the store that it is given, and forgotten", () => {
  const held = new Map();
  const store = { getItem: (key) => held.get(key) ?? null, setItem: (key, value) => held.set(key, value), removeItem: (key) => held.delete(key) };
  assert.equal(kept(store), null);
  keep("t", store);
  assert.equal(kept(store), "t");
  forget(store);
  assert.equal(held.size, 0);
});
