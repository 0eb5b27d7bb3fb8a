/**
 * Ranks over time, as lines that cross where one passes the other.
 *
 * @module
 */

import { formatCount } from "./format.js";
import { draw } from "./make.js";
import { apart, rankScale, timeMarks, windowFor } from "./scale.js";

/** @typedef {import("./tracks.js").Point} Point */
/** @typedef {import("./tracks.js").Tracks} Tracks */

/**
 * @typedef {object} Runner
 * @property {string} player
 * @property {string} name
 * @property {number} slot of the plot's colours
 * @property {boolean} [chosen] drawn stronger than the others
 */

/** Sizes at the type size of a laptop; they grow with it. How far a line bends before and after a change, and the rest. */
const BEND = 7;
const LABEL_GAP = 17;
const TYPE = 11;
const LETTER = 6.6;
const EDGE = { top: 12, bottom: 22, start: 34 };
/** Of the width, what names take at the end, and its bounds. */
const NAMES = { share: 0.26, least: 100, most: 170 };

/**
 * @typedef {object} Frame where the lines are, in pixels
 * @property {number} left
 * @property {number} right
 * @property {number} top
 * @property {number} bottom
 * @property {number} height
 * @property {number} unit pixels for one of a laptop
 * @property {number} letters that a name has room for
 */

/**
 * @param {{width: number, height: number}} size
 * @param {number} unit
 * @returns {Frame}
 */
export function frameOf({ width, height }, unit) {
  const names = Math.max(NAMES.least * unit, Math.min(NAMES.most * unit, width * NAMES.share));
  return {
    left: EDGE.start * unit,
    right: width - names,
    top: EDGE.top * unit,
    bottom: height - EDGE.bottom * unit,
    height,
    unit,
    letters: Math.floor((names - 22 * unit) / (LETTER * unit)),
  };
}

/**
 * @param {{x: number, y: number}[]} corners where a rank begins to hold
 * @param {number} end
 * @param {number} [widest] of a bend
 * @returns {string} a path that is level between changes, and bends from one level to the next
 */
export function bumps(corners, end, widest = BEND) {
  const parts = corners.map(({ x, y }, index) => {
    if (index === 0) return `M${x.toFixed(1)} ${y.toFixed(1)}`;
    const before = corners[index - 1];
    const next = corners[index + 1]?.x ?? end;
    const bend = Math.min(widest, (x - before.x) / 2);
    const after = Math.max(0, Math.min(widest, (next - x) / 2));
    const middle = x.toFixed(1);
    return `L${(x - bend).toFixed(1)} ${before.y.toFixed(1)}C${middle} ${before.y.toFixed(1)} ${middle} ${y.toFixed(1)} ${(x + after).toFixed(1)} ${y.toFixed(1)}`;
  });
  const last = corners[corners.length - 1];
  return `${parts.join("")}L${Math.max(end, last.x).toFixed(1)} ${last.y.toFixed(1)}`;
}

/**
 * @param {readonly Point[]} points
 * @returns {{at: number, rank: number}[][]} parted where the player was not ranked
 */
export function stretches(points) {
  /** @type {{at: number, rank: number}[][]} */
  const all = [[]];
  for (const { at, rank } of points) {
    if (rank === null) all.push([]);
    else all[all.length - 1].push({ at, rank });
  }
  return all.filter((one) => one.length > 0);
}

export class Plot {
  #svg;
  #size = { width: 0, height: 0 };
  #redraw;

  /**
   * @param {SVGSVGElement} svg
   * @param {() => void} redraw called when its size has changed
   */
  constructor(svg, redraw) {
    this.#svg = svg;
    this.#redraw = redraw;
    new ResizeObserver(([{ contentRect }]) => {
      this.#size = { width: contentRect.width, height: contentRect.height };
      this.#redraw();
    }).observe(svg);
  }

  /**
   * @param {readonly Runner[]} runners
   * @param {Tracks} tracks
   * @param {number} now
   */
  show(runners, tracks, now) {
    const { width, height } = this.#size;
    const frame = frameOf(this.#size, parseFloat(getComputedStyle(this.#svg).fontSize) / TYPE);
    if (frame.right <= frame.left || frame.bottom <= frame.top) return;
    const began = Math.min(...runners.map(({ player }) => tracks.began(player) ?? now));
    const span = windowFor(now - began);
    const lines = runners.map((runner) => ({ runner, points: tracks.of(runner.player, now - span) }));
    const scale = rankScale(lines.flatMap(({ points }) => points.flatMap(({ rank }) => rank ?? [])));
    const x = (/** @type {number} */ at) => frame.left + (1 - (now - at) / span) * (frame.right - frame.left);
    const y = (/** @type {number} */ rank) => frame.top + scale.at(rank) * (frame.bottom - frame.top);
    // The chosen one lies on top.
    const order = [...lines].sort((one, other) => Number(one.runner.chosen ?? false) - Number(other.runner.chosen ?? false));
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.setAttribute("aria-label", described(lines));
    this.#svg.replaceChildren(
      ...grid(scale.ticks, y, frame),
      ...clock(span, frame),
      ...order.map((line) => curve(line, x, y, frame)),
      ...labels(lines, y, frame),
    );
  }
}

/** @typedef {{runner: Runner, points: readonly Point[]}} Line */

/**
 * @param {readonly number[]} ticks
 * @param {(rank: number) => number} y
 * @param {Frame} frame
 */
const grid = (ticks, y, { left, right, unit }) =>
  ticks.flatMap((tick) => {
    const height = Math.round(y(tick)) + 0.5;
    const label = draw("text", { class: "tick", x: left - 9 * unit, y: height, "text-anchor": "end", "dominant-baseline": "central" });
    label.textContent = formatCount(tick);
    return [draw("line", { class: "rule", x1: left, x2: right, y1: height, y2: height }), label];
  });

/**
 * @param {number} span
 * @param {Frame} frame
 */
const clock = (span, { left, right, height, unit }) =>
  timeMarks(span).map(({ share, text }) => {
    const anchor = share === 1 ? "end" : share < 0.06 ? "start" : "middle";
    const label = draw("text", { class: "tick", x: left + share * (right - left), y: height - 3 * unit, "text-anchor": anchor });
    label.textContent = text;
    return label;
  });

/**
 * @param {Line} line
 * @param {(at: number) => number} x
 * @param {(rank: number) => number} y
 * @param {Frame} frame
 */
function curve({ runner, points }, x, y, { right, unit }) {
  const parts = stretches(points);
  const open = points.at(-1)?.rank !== null;
  const path = parts.map((part, index) => {
    const last = index === parts.length - 1 && open ? right : x(part[part.length - 1].at);
    return bumps(part.map(({ at, rank }) => ({ x: x(at), y: y(rank) })), last, BEND * unit);
  });
  return draw("path", { class: `curve slot-${runner.slot}${runner.chosen ? " chosen" : ""}`, d: path.join("") });
}

/**
 * @param {readonly Line[]} lines
 * @param {(rank: number) => number} y
 * @param {Frame} frame
 */
function labels(lines, y, { right, bottom, unit, letters }) {
  const standing = lines.flatMap(({ runner, points }) => {
    const rank = points.at(-1)?.rank;
    return rank === null || rank === undefined ? [] : [{ runner, rank }];
  });
  const places = apart(standing.map(({ rank }) => y(rank)), LABEL_GAP * unit, bottom + 4 * unit);
  return standing.flatMap(({ runner, rank }, index) => {
    const dot = draw("circle", { class: `end slot-${runner.slot}`, cx: right, cy: y(rank), r: (runner.chosen ? 5 : 4) * unit });
    const label = draw("text", { class: `label${runner.chosen ? " chosen" : ""}`, x: right + 11 * unit, y: places[index], "dominant-baseline": "central" });
    const number = draw("tspan", { class: "number" });
    number.textContent = formatCount(rank);
    const name = draw("tspan", { dx: 5 * unit });
    name.textContent = shortened(runner.name, letters - formatCount(rank).length);
    label.append(number, name);
    return [dot, label];
  });
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * @param {string} name
 * @param {number} room in letters; those of Chinese, Japanese and Korean take two
 */
function shortened(name, room) {
  let [text, left] = ["", room];
  for (const { segment } of graphemes.segment(name)) {
    left -= segment > "\u2e80" ? 2 : 1;
    if (left < 0) return `${text.trimEnd()}…`;
    // Marks piled on a letter would leave their line.
    text += segment.normalize("NFC").slice(0, 8);
  }
  return text;
}

/** @param {readonly Line[]} lines */
function described(lines) {
  const told = lines.map(({ runner, points }) => {
    const [first, last] = [points[0]?.rank, points.at(-1)?.rank];
    if (!last) return `${runner.name} is not ranked`;
    return first && first !== last ? `${runner.name} from ${first} to ${last}` : `${runner.name} at ${last}`;
  });
  return told.length === 0 ? "Nothing to plot yet" : `Ranks over time: ${told.join(", ")}`;
}
