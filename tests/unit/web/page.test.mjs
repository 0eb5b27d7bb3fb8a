// The parts of the page that need no page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { remaining } from "../../../web/page/motion.js";
import { MOMENT_MS, Movements } from "../../../web/page/movement.js";
import { codesOf, exampleOf, fieldsOf, typeOf } from "../../../web/page/schema.js";
import { sharesOf } from "../../../web/page/share.js";
import { describe } from "../../../web/page/status.js";

const ranks = (...players) => players.map((player, index) => ({ player, rank: index + 1 }));

test("who was there from the start has not moved", () => {
  const movements = new Movements();
  movements.observe(ranks("a", "b"), 0);
  assert.deepEqual(movements.of("a", 1), { kind: "same", by: 0 });
});

test("changes within half a second are one, and the way of a moment is right to that", () => {
  const movements = new Movements();
  movements.observe([{ player: "a", rank: 50 }], 0);
  for (let now = 10; now <= 2000; now += 10) movements.observe([{ player: "a", rank: 50 - (now / 10) % 7 }], now);
  movements.observe([{ player: "a", rank: 1 }], 2001);
  assert.deepEqual(movements.of("a", 2002), { kind: "up", by: 49 });
  const late = movements.of("a", 2001 + MOMENT_MS - 1000);
  assert.equal(late.kind, "up");
  assert.ok(late.by >= 43 && late.by <= 49);
  assert.deepEqual(movements.of("a", 2001 + MOMENT_MS), { kind: "same", by: 0 });
});

test("movement is the way since a moment ago, and ends with the moment", () => {
  const movements = new Movements();
  movements.observe(ranks("a", "b", "c"), 0);
  movements.observe(ranks("c", "a", "b"), 1000);
  movements.observe(ranks("a", "c", "b"), 2000);
  assert.deepEqual(movements.of("c", 2000), { kind: "up", by: 1 });
  assert.deepEqual(movements.of("b", 2000), { kind: "down", by: 1 });
  assert.deepEqual(movements.of("a", 2000), { kind: "same", by: 0 });
  assert.deepEqual(movements.of("c", 1000 + MOMENT_MS), { kind: "down", by: 1 });
  assert.deepEqual(movements.of("c", 2000 + MOMENT_MS), { kind: "same", by: 0 });
});

test("who comes into sight is new for a moment", () => {
  const movements = new Movements();
  movements.observe(ranks("a"), 0);
  movements.observe(ranks("a", "b"), 5000);
  assert.deepEqual(movements.of("b", 5001), { kind: "new", by: 0 });
  assert.deepEqual(movements.of("b", 5000 + MOMENT_MS), { kind: "same", by: 0 });
});

test("who leaves sight for a short while is not new on the way back", () => {
  const movements = new Movements();
  movements.observe(ranks("a", "b", "c"), 0);
  movements.observe(ranks("a", "c"), 1000);
  movements.observe(ranks("b", "a", "c"), 2000);
  assert.deepEqual(movements.of("b", 2000), { kind: "up", by: 1 });
});

test("a board that many pass through keeps few of them in memory", () => {
  const movements = new Movements();
  movements.observe(ranks("first"), 0);
  for (let index = 0; index < 10_000; index += 1) movements.observe(ranks(`p${index}`, "last"), index);
  assert.equal(movements.of("p5", 20_000).kind, "same"); // forgotten
  assert.equal(movements.of("p9999", 20_000).kind, "new");
});

test("a distance decays without a jump from all of it to nothing", () => {
  assert.equal(remaining(0), 1);
  assert.equal(remaining(700), 0);
  assert.equal(remaining(5000), 0);
  for (let ms = 0; ms < 700; ms += 10) {
    assert.ok(remaining(ms) > remaining(ms + 10));
    assert.ok(remaining(ms) - remaining(ms + 10) < 0.09);
  }
});

const scores = (...values) => values.map((score, index) => ({ player: `p${index}`, rank: 1, seq: 1, score }));

test("a share is of the leader's first column, whichever end is better", () => {
  assert.deepEqual(sharesOf(scores([8, 1], [4, 9]), "desc"), [1, 0.5]);
  assert.deepEqual(sharesOf(scores(10, 20), "asc"), [1, 0.5]);
});

test("a share that would mean nothing is none", () => {
  assert.deepEqual(sharesOf(scores(0, 0), "desc"), [0, 0]);
  assert.deepEqual(sharesOf(scores(5, -5), "desc"), [1, 0]);
  assert.deepEqual(sharesOf(scores(-5, 5), "asc"), [0, 0]);
  assert.deepEqual(sharesOf([], "desc"), []);
});

const condition = { status: "live", online: true, staleSince: null, synchronised: true, missing: false };

for (const [change, kind, text] of [
  [{}, "live", /^Live$/],
  [{ synchronised: false }, "waiting", /^Loading$/],
  [{ synchronised: false, missing: true }, "waiting", /^Waiting$/],
  [{ status: "connecting" }, "waiting", /^Connecting$/],
  [{ status: "offline" }, "waiting", /^Reconnecting$/],
  [{ online: false }, "gone", /^Offline$/],
  [{ status: "closed", online: false }, "gone", /^Disconnected$/],
  [{ staleSince: 1_893_456_000 }, "stale", /^Paused since \d/],
]) {
  test(`the light for ${JSON.stringify(change)} is ${kind}`, () => {
    const shown = describe({ ...condition, ...change });
    assert.equal(shown.kind, kind);
    assert.match(shown.text, text);
  });
}

const root = {
  schemas: {
    Id: { type: "string", maxLength: 64, description: "An id." },
    Row: { type: "object", required: ["player"], properties: { player: { $ref: "#/schemas/Id", description: "Who." }, next: { $ref: "#/schemas/Row" } } },
    Loop: { $ref: "#/schemas/Loop" },
    Problem: { properties: { code: { type: "string" } } },
  },
};

test("a schema is told as fields, with inner ones by their path", () => {
  const schema = { type: "array", items: { properties: { rows: { type: "array", items: { $ref: "#/schemas/Row" } }, limit: { type: "integer", minimum: 1, maximum: 1000, default: 10 } } } };
  const fields = fieldsOf(schema, root);
  assert.deepEqual(fields.slice(0, 3).map(({ path }) => path), ["[].rows", "[].rows[].player", "[].rows[].next"]);
  assert.equal(fields[1].description, "Who.");
  assert.equal(fields[1].required, true);
  assert.equal(fields.at(-1).type, "integer, 1 to 1,000, else 10");
});

test("a schema that refers to itself ends", () => {
  assert.ok(fieldsOf({ $ref: "#/schemas/Row" }, root).length < 10);
  assert.equal(typeof typeOf({ $ref: "#/schemas/Loop" }, root), "string");
});

for (const [schema, text] of [
  [{ $ref: "#/schemas/Id" }, "string, up to 64"],
  [{ enum: ["asc", "desc"] }, '"asc" | "desc"'],
  [{ const: true }, "true"],
  [{ type: ["string", "null"] }, "string or null"],
  [{ oneOf: [{ type: "integer" }, { type: "array", items: { type: "integer" } }] }, "integer or array of integer"],
  [{ type: "integer", minimum: -(2 ** 63), maximum: 2 ** 63 }, "integer"],
  [{}, "any"],
]) {
  test(`${JSON.stringify(schema)} reads ${text}`, () => assert.equal(typeOf(schema, root), text));
}

test("a problem names its codes, and an example is found where one is", () => {
  const schema = { allOf: [{ $ref: "#/schemas/Problem" }, { properties: { code: { enum: ["a", "b"] } } }] };
  assert.deepEqual(codesOf({ content: { "application/problem+json": { schema } } }, root), ["a", "b"]);
  assert.deepEqual(codesOf({}, root), []);
  assert.equal(exampleOf({ examples: { one: { value: 3 } } }), 3);
  assert.equal(exampleOf({ schema: {} }), undefined);
});
