/**
 * What is worth telling of the step from one state of a board to the next. Pure.
 *
 * @module
 */

/** @typedef {import("../client/index.d.ts").Entry} Entry */

/**
 * leads: is the new first; podium, top10: has come among the first three, or ten; passes; level: shares a rank with one who
 * was ahead; joins: has come into sight.
 * @typedef {"leads" | "podium" | "top10" | "passes" | "level" | "joins"} Kind
 */

/**
 * @typedef {object} Happening
 * @property {Kind} kind
 * @property {Entry} entry who did it, as they are now
 * @property {Entry | null} past the best of those who were ahead and are not any more; whom somebody watches, before others
 * @property {number} others how many more of them there are
 * @property {number} weight the more, the sooner it is told; those who are watched weigh more
 */

const PODIUM = 3;
const TEN = 10;

/** @type {Record<Kind, number>} */
const WEIGHTS = { leads: 100, podium: 60, top10: 40, passes: 20, level: 15, joins: 5 };
const WATCHED = 50;

/**
 * @param {readonly Entry[]} before best first
 * @param {readonly Entry[]} after
 * @param {ReadonlySet<string>} watched
 * @returns {Happening[]} the weightiest first
 */
export function happenings(before, after, watched) {
  const known = new Map(before.map((entry) => [entry.player, entry]));
  const now = new Map(after.map((entry) => [entry.player, entry]));
  const told = after.flatMap((entry) => {
    const old = known.get(entry.player);
    // Only who scored has done something: others are moved by them.
    if (old !== undefined && (old.seq === entry.seq || old.rank <= entry.rank)) return [];
    const from = old?.rank ?? Infinity;
    const behind = before.filter((one) => one.rank < from && (now.get(one.player)?.rank ?? Infinity) > entry.rank);
    const past = behind.find(({ player }) => watched.has(player)) ?? behind[0] ?? null;
    const joins = from === Infinity && !(past !== null && watched.has(past.player));
    const kind = kindOf(entry, from, past, before, joins);
    const level = kind === "level" ? (after.find((one) => one.rank === entry.rank && one !== entry) ?? null) : null;
    const involved = [entry, past].some((one) => one !== null && watched.has(one.player));
    const weight = WEIGHTS[kind] + (involved ? WATCHED : 0) + 1 / entry.rank;
    return [{ kind, entry, past: past ?? level, others: Math.max(0, behind.length - 1), weight }];
  });
  return told.sort((one, other) => other.weight - one.weight);
}

/**
 * @param {Entry} entry
 * @param {number} from the rank before
 * @param {Entry | null} past
 * @param {readonly Entry[]} before
 * @param {boolean} joins has come into sight, and no more is to be told
 * @returns {Kind}
 */
function kindOf({ player, rank }, from, past, before, joins) {
  if (rank === 1 && past !== null && before[0]?.player !== player) return "leads";
  if (rank <= PODIUM && from > PODIUM) return "podium";
  if (rank <= TEN && from > TEN) return "top10";
  if (joins) return "joins";
  return past === null ? "level" : "passes";
}
