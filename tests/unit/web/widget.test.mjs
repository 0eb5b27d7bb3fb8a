// The parts of the widget that need no page.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Announcer, GATHER_MS } from "../../../web/page/announcer.js";
import { Numbers } from "../../../web/page/format.js";
import { attributesOf, directionOf } from "../../../web/widget/address.js";
import { kindOf, showsRows } from "../../../web/widget/condition.js";
import { ATTRIBUTES, hasColumn, optionsOf, scoresShown, sizeFor, styleOf } from "../../../web/widget/options.js";
import { Remarks } from "../../../web/widget/remarks.js";
import { ENGLISH, fill, lightOf, noticeOf } from "../../../web/widget/words.js";

const HOME = "https://scores.example/web/widget/live-leaderboard.js";
const options = (written = {}) => optionsOf((name) => written[name] ?? null, HOME, "https://blog.example/posts/1");

test("who writes a board alone gets its top ten from where the script came from", () => {
  const { board, service, view, limit, player, theme, locale, columns, heading } = options({ board: " arcade " });
  assert.deepEqual(
    { board, service, view, limit, player, theme, locale, columns, heading },
    { board: "arcade", service: "https://scores.example", view: "top", limit: 10, player: null, theme: "auto", locale: undefined, columns: null, heading: null },
  );
});

for (const [source, service] of [
  ["https://other.example/", "https://other.example"],
  ["https://other.example/scores/", "https://other.example/scores"],
  ["/here", "https://blog.example/here"],
  ["javascript:alert(1)", "https://scores.example"],
  ["https://", "https://scores.example"],
  ["", "https://scores.example"],
]) {
  test(`a source of ${JSON.stringify(source)} is ${service}`, () => {
    assert.equal(options({ src: source }).service, service);
  });
}

test("what cannot be understood is as if it were not there", () => {
  const odd = options({ board: "  ", view: "sideways", limit: "many", radius: "-4", theme: "pink", locale: "no such", numbers: "roman", pictures: "?" });
  assert.deepEqual(
    [odd.board, odd.view, odd.limit, odd.radius, odd.theme, odd.locale, odd.numbers, odd.pictures],
    [null, "top", 10, 1, "auto", undefined, ["grouped"], "auto"],
  );
  assert.equal(options({ limit: "1000" }).limit, 100);
  assert.equal(options({ radius: "99" }).radius, 10);
});

test("a list is asked for that has as many rows as are shown", () => {
  assert.deepEqual([1, 10, 11, 26, 100].map(sizeFor), [10, 10, 25, 50, 100]);
});

test("columns are those that are named, and all where none is", () => {
  const scores = [{ name: "solved" }, { name: "Penalty" }];
  assert.deepEqual(scoresShown(options(), scores), [0, 1]);
  assert.deepEqual(scoresShown(options({ columns: "rank score" }), scores), [0, 1]);
  assert.deepEqual(scoresShown(options({ columns: "rank, penalty" }), scores), [1]);
  assert.deepEqual(scoresShown(options({ columns: "" }), scores), []);
  assert.equal(hasColumn(options({ columns: "rank score" }), "move"), false);
  assert.equal(hasColumn(options(), "move"), true);
});

test("a score beyond those that were written of is written as the last", () => {
  const some = options({ numbers: "plain clock" });
  assert.deepEqual([0, 1, 2].map((index) => styleOf(some, index)), ["plain", "clock", "clock"]);
  assert.equal(styleOf(options(), 3), "grouped");
});

for (const [locale, value, decimals, style, text] of [
  ["en", 1_234_567, 0, "compact", "1.23M"],
  ["en", -1_234_567, 0, "compact", "−1.23M"],
  ["en", 999, 0, "compact", "999"],
  ["en", 999_999, 3, "compact", "999.999"],
  ["en", 1_234_567, 0, "plain", "1234567"],
  ["en", "9223372036854775807", 0, "plain", "9223372036854775807"],
  ["de", 1_234_567, 2, "grouped", "12.345,67"],
  ["en", 62_727, 3, "clock", "1:02.727"],
  ["en", 5, 0, "clock", "0:05"],
  ["en", 36_005, 0, "clock", "10:00:05"],
  ["en", -3_600, 0, "clock", "−1:00:00"],
  ["ar-EG", 1_234_007, 3, "grouped", "١٬٢٣٤٫٠٠٧"],
  ["ar-EG", 62_007, 3, "clock", "١:٠٢٫٠٠٧"],
]) {
  test(`${value} with ${decimals} decimals is ${text} as ${style} in ${locale}`, () => {
    assert.equal(new Numbers(locale).score(value, decimals, style), text);
  });
}

const ENTRY = { rank: 1, player: "ann", score: 3, seq: 1 };
const list = (entries, more = {}) => ({ entries, position: 0, total: entries.length, ...more });

for (const [kind, known] of [
  ["unnamed", { board: null }],
  ["loading", {}],
  ["loading", { state: list([ENTRY]), status: "live", described: false }],
  ["live", { state: list([ENTRY]), status: "live" }],
  ["live", { state: list([ENTRY]), status: "stale", reason: "resync" }],
  ["stale", { state: list([ENTRY]), status: "stale", reason: "ranking_away" }],
  ["offline", { state: list([ENTRY]), status: "offline" }],
  ["empty", { state: list([]), status: "live" }],
  ["unranked", { state: list([], { position: null, total: 9 }), status: "live" }],
  ["unreachable", { status: "offline" }],
  ["unreachable", { status: "connecting", reason: "overloaded" }],
  ["refused", { status: "closed", reason: "board_unknown" }],
]) {
  test(`${JSON.stringify(known)} is ${kind}`, () => {
    const base = { board: "arcade", status: "connecting", reason: null, state: null, described: true };
    assert.equal(kindOf({ ...base, ...known }), kind);
    // Either there are rows to look at, or words in their place, or hints of what comes.
    assert.equal(Number(showsRows(kind)) + Number(noticeOf(kind, null).length === 2) + Number(kind === "loading"), 1);
  });
}

test("a refusal says why, and every word that is named is there", () => {
  assert.deepEqual(noticeOf("refused", "board_unknown"), ["unknown", "unknownMore"]);
  assert.deepEqual(noticeOf("refused", "forbidden"), ["refused", "refusedMore"]);
  assert.deepEqual(noticeOf("refused", "4101"), ["closed", "closedMore"]);
  const reasons = ["board_unknown", "forbidden", "other"];
  const kinds = ["empty", "unranked", "unreachable", "unnamed", "refused"];
  for (const word of kinds.flatMap((kind) => reasons.flatMap((reason) => noticeOf(kind, reason)))) assert.equal(typeof ENGLISH[word], "string");
});

test("the light names what is the matter, the lost network first", () => {
  assert.deepEqual(["live", "stale", "offline", "loading", "refused"].map((kind) => lightOf(kind, true)), ["live", "paused", "reconnecting", "connecting", null]);
  assert.deepEqual(["live", "offline"].map((kind) => lightOf(kind, false)), ["live", "offline"]);
});

test("what is filled in is not filled again", () => {
  assert.equal(fill("{name} leads with {score}, {more}", { name: "{score}", score: "3" }), "{score} leads with 3, {more}");
});

const at = (player, rank) => ({ player, rank, score: 0, seq: 0 });
const told = (remarks) => remarks.map(({ kind, entry }) => `${kind} ${entry.player} ${entry.rank}`);

test("how things are at first is no news", () => {
  assert.deepEqual(new Remarks().of(at("ann", 1), at("bob", 7)), []);
});

test("a new leader and a new rank of the watched are worth a word, a new score is not", () => {
  const remarks = new Remarks();
  remarks.of(at("ann", 1), at("bob", 7));
  assert.deepEqual(told(remarks.of({ ...at("ann", 1), score: 9 }, { ...at("bob", 7), score: 9 })), []);
  assert.deepEqual(told(remarks.of(at("cat", 1), at("bob", 6))), ["leads cat 1", "stands bob 6"]);
  assert.deepEqual(told(remarks.of(at("cat", 1), null)), ["left bob 6"]);
  assert.deepEqual(told(remarks.of(at("cat", 1), at("bob", 5))), ["stands bob 5"]);
});

test("the first of an empty board leads, and who leads still after a moment out of sight is no news", () => {
  const remarks = new Remarks();
  remarks.of(null, null);
  assert.deepEqual(told(remarks.of(at("ann", 1), null)), ["leads ann 1"]);
  remarks.of(null, null);
  assert.deepEqual(told(remarks.of(at("ann", 1), null)), []);
  remarks.clear();
  assert.deepEqual(told(remarks.of(at("bob", 1), null)), []);
});

test("of what happens while it is quiet, the last of each subject is said, once", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  mock.method(performance, "now", () => now);
  const pass = (ms) => {
    now += ms;
    mock.timers.tick(ms);
  };
  const region = { textContent: "" };
  const announcer = new Announcer(region, 8000);
  announcer.say("ann leads.", "leader");
  pass(GATHER_MS);
  assert.equal(region.textContent, "ann leads.");
  announcer.say("bob leads.", "leader");
  announcer.say("dan is at 4.", "rank");
  let score = 12;
  announcer.say(() => `cat leads with ${score}.`, "leader");
  score = 14;
  announcer.say("eve is gone.", "news");
  announcer.say("", "news");
  pass(7999);
  assert.equal(region.textContent, "ann leads.");
  pass(1);
  assert.equal(region.textContent, "cat leads with 14. dan is at 4.");
  announcer.say("eve leads.", "leader");
  announcer.hush();
  pass(20_000);
  assert.equal(region.textContent, "cat leads with 14. dan is at 4.");
  mock.timers.reset();
  mock.restoreAll();
});

test("an address has the widget's attributes, save whose service it asks", () => {
  const search = "?board=arcade&limit=5&selectable&quiet=0&src=https://evil.example&onclick=alert(1)&heading=";
  assert.deepEqual(attributesOf(search), [["board", "arcade"], ["limit", "5"], ["heading", ""], ["selectable", ""]]);
  assert.deepEqual(attributesOf(""), []);
  const all = ATTRIBUTES.map((name) => `${name}=1`).join("&");
  assert.equal(attributesOf(all).length, ATTRIBUTES.length - 1);
});

test("a frame is written the way its locale is, unless its address says otherwise", () => {
  assert.deepEqual(
    ["", "?locale=ar-EG", "?locale=he", "?locale=de", "?locale=ar&dir=ltr", "?dir=rtl", "?dir=up"].map(directionOf),
    ["ltr", "rtl", "rtl", "ltr", "ltr", "rtl", "ltr"],
  );
});
