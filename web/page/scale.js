/**
 * From ranks and times to where they are drawn. Pure.
 *
 * @module
 */

/** Ranks farther apart than this factor are drawn by their logarithm: or the best would all lie on one line. */
const WIDE = 14;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

/**
 * @typedef {object} RankScale
 * @property {(rank: number) => number} at 0 (top) to 1
 * @property {number[]} ticks
 */

/**
 * @param {readonly number[]} ranks in sight
 * @returns {RankScale}
 */
export function rankScale(ranks) {
  const [least, most] = ranks.length > 0 ? [Math.min(...ranks), Math.max(...ranks)] : [1, 5];
  const wide = most / least > WIDE;
  const pad = wide ? 0 : Math.max(1, Math.ceil((most - least) / 8));
  const [top, bottom] = [Math.max(1, least - pad), Math.max(most + pad, least + 3)];
  const along = wide ? Math.log : (/** @type {number} */ value) => value;
  const span = along(bottom) - along(top);
  return { at: (rank) => (along(rank) - along(top)) / span, ticks: wide ? decades(top, bottom) : steps(top, bottom) };
}

/**
 * @param {number} top
 * @param {number} bottom
 */
function steps(top, bottom) {
  const step = STEPS.find((one) => (bottom - top) / one <= 5) ?? bottom;
  const ticks = [];
  for (let tick = Math.ceil(top / step) * step; tick <= bottom; tick += step) ticks.push(tick);
  if (top === 1 && step > 1) ticks.unshift(1);
  return ticks;
}

/**
 * @param {number} top
 * @param {number} bottom
 */
function decades(top, bottom) {
  const dense = bottom / top < 300;
  return STEPS.filter((one) => one >= top && one <= bottom && (dense || /^10*$/.test(String(one))));
}

/** How much of the past is in sight, in milliseconds: all there is, within these bounds. */
const SHORTEST = 20_000;
const LONGEST = 600_000;

/** @param {number} age of the oldest point, in milliseconds */
export const windowFor = (age) => Math.max(SHORTEST, Math.min(LONGEST, age));

/** Between two marks on the line of time, in seconds. */
const MARKS = [5, 10, 15, 30, 60, 120, 180, 300];

/**
 * @param {number} span of time in sight, in milliseconds
 * @returns {{share: number, text: string}[]} marks, from 0 (the past) to 1 (now)
 */
export function timeMarks(span) {
  const seconds = span / 1000;
  const step = MARKS.find((one) => seconds / one < 4) ?? MARKS[MARKS.length - 1];
  const marks = [{ share: 1, text: "now" }];
  for (let ago = step; ago <= seconds; ago += step) {
    marks.push({ share: 1 - ago / seconds, text: ago < 60 || ago % 60 > 0 ? `${ago} s` : `${ago / 60} min` });
  }
  return marks;
}

/**
 * Move labels apart that would cover each other, as little as need be and in their order.
 *
 * @param {readonly number[]} wanted where each should be, in any order
 * @param {number} gap
 * @param {number} end none goes beyond it, while there is room
 * @returns {number[]}
 */
export function apart(wanted, gap, end) {
  const order = wanted.map((_, index) => index).sort((one, other) => wanted[one] - wanted[other]);
  const places = [...wanted];
  order.forEach((index, turn) => {
    if (turn > 0) places[index] = Math.max(places[index], places[order[turn - 1]] + gap);
  });
  let limit = end;
  for (const index of order.reverse()) {
    places[index] = Math.min(places[index], limit);
    limit = places[index] - gap;
  }
  return places;
}
