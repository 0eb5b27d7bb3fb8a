/**
 * What an overlay's address may say, and what it means: of the board, and of how it lies over a picture. Pure.
 *
 * @module
 */

/** @typedef {"dark" | "light"} Theme */
/** @typedef {"top-left" | "top" | "top-right" | "left" | "centre" | "right" | "bottom-left" | "bottom" | "bottom-right"} Position */

/**
 * @typedef {object} Options
 * @property {string} board empty: none is named
 * @property {"top" | "around"} view
 * @property {number} limit rows of the top
 * @property {string} player who is marked, and around whom it goes
 * @property {number} radius rows on either side of the player
 * @property {string | null} heading null: the board's title; empty: none at all
 * @property {Position} position
 * @property {number} width of the board, in pixels
 * @property {number} margin to the edges of the picture, in pixels
 * @property {number} scale of the type, in per cent
 * @property {number} opacity of what lies behind the rows, in per cent
 * @property {Theme} theme
 * @property {string} accent six hexadecimal digits; empty: the theme's own
 * @property {"comfortable" | "compact"} density
 * @property {"auto" | "initials" | "none"} pictures
 * @property {string} columns words, as the widget has them; empty: all
 * @property {"grouped" | "compact" | "plain" | "clock"} numbers
 * @property {string} locale empty: the machine's
 */

/** @type {readonly Position[]} */
export const POSITIONS = ["top-left", "top", "top-right", "left", "centre", "right", "bottom-left", "bottom", "bottom-right"];

/** @type {Readonly<Options>} */
export const START = {
  board: "",
  view: "top",
  limit: 5,
  player: "",
  radius: 2,
  heading: null,
  position: "top-left",
  width: 520,
  margin: 32,
  scale: 120,
  opacity: 82,
  theme: "dark",
  accent: "",
  density: "comfortable",
  pictures: "auto",
  columns: "",
  numbers: "grouped",
  locale: "",
};

/** The least and the most of each number. */
export const BOUNDS = {
  limit: [1, 25],
  radius: [1, 10],
  width: [160, 1920],
  margin: [0, 400],
  scale: [50, 300],
  opacity: [0, 100],
};

/** @type {{[name: string]: readonly string[]}} */
const CHOICES = {
  view: ["top", "around"],
  position: POSITIONS,
  theme: ["dark", "light"],
  density: ["comfortable", "compact"],
  pictures: ["auto", "initials", "none"],
  numbers: ["grouped", "compact", "plain", "clock"],
};

const LONGEST = 200;
const ID = /^[A-Za-z0-9_.-]{1,64}$/;

/**
 * @param {string} search the part of an address from "?" on; what makes no sense in it is as if it were not there
 * @returns {Options}
 */
export function read(search) {
  const told = new URLSearchParams(search);
  const options = Object.fromEntries(Object.entries(START).map(([name, start]) => [name, meant(name, told.get(name), start)]));
  return /** @type {Options} */ (/** @type {unknown} */ (options));
}

/**
 * @param {string} name
 * @param {string | null} value
 * @param {string | number | null} start
 */
function meant(name, value, start) {
  if (value === null) return start;
  const bounds = /** @type {{[name: string]: number[]}} */ (BOUNDS)[name];
  if (bounds !== undefined) {
    const number = /^\d{1,4}$/.test(value.trim()) ? Number(value) : NaN;
    return Number.isNaN(number) ? start : Math.max(bounds[0], Math.min(bounds[1], number));
  }
  if (CHOICES[name] !== undefined) return CHOICES[name].includes(value) ? value : start;
  if (name === "board" || name === "player") return ID.test(value.trim()) ? value.trim() : start;
  if (name === "accent") return /^#?[0-9a-f]{6}$/i.test(value) ? value.replace("#", "").toLowerCase() : start;
  return value.slice(0, LONGEST);
}

/**
 * @param {Options} options
 * @returns {string} "?" and what differs from the start, shortest of all that mean the same
 */
export function write(options) {
  const given = /** @type {{[name: string]: unknown}} */ (/** @type {unknown} */ (options));
  const parts = Object.entries(START)
    .filter(([name, start]) => given[name] !== start && matters(name, options))
    .map(([name]) => `${name}=${encodeURIComponent(String(given[name])).replace(/%2C/g, ",").replace(/%20/g, "+")}`);
  return parts.length > 0 ? `?${parts.join("&")}` : "";
}

/**
 * @param {string} name
 * @param {Options} options
 */
function matters(name, { view, player }) {
  const around = view === "around" && player !== "";
  if (name === "radius") return around;
  if (name === "limit") return !around;
  return name !== "view" || around;
}

/**
 * @param {Options} options
 * @returns {[string, string][]} of the widget
 */
export function attributesOf({ board, view, limit, player, radius, heading, theme, density, pictures, columns, numbers, locale }) {
  const around = view === "around" && player !== "";
  /** @type {[string, string | null][]} */
  const attributes = [
    ["board", board],
    ["view", around ? "around" : "top"],
    ["limit", String(limit)],
    ["radius", String(radius)],
    ["player", player || null],
    ["heading", heading],
    ["theme", theme],
    ["density", density],
    ["pictures", pictures],
    ["columns", columns || null],
    ["numbers", numbers],
    ["locale", locale || null],
    // Nobody in the stream has a screen reader on the streamer's machine.
    ["quiet", ""],
  ];
  return attributes.filter((attribute) => /** @returns {attribute is [string, string]} */ attribute[1] !== null).map(([name, value]) => [name, value ?? ""]);
}

/** Said in full: browsers inside of streaming programs are old. */
const PAINT = {
  dark: {
    paper: [13, 15, 17],
    ink: "#f4f2ee",
    soft: "#b6b8bc",
    line: "rgb(255 255 255 / 11%)",
    accent: "5fd39c",
    caution: "#dcae4c",
    gold: "#f4c84f",
    silver: "#c4ced8",
    bronze: "#e3a374",
    halo: "rgb(0 0 0 / 75%)",
  },
  light: {
    paper: [255, 255, 255],
    ink: "#16171a",
    soft: "#55555a",
    line: "rgb(0 0 0 / 10%)",
    accent: "13704a",
    caution: "#8f6200",
    gold: "#8a6100",
    silver: "#5c656f",
    bronze: "#8f4f25",
    halo: "rgb(255 255 255 / 80%)",
  },
};

/** Where less lies behind the rows, letters get a halo. */
const THIN = 55;

/**
 * @param {Options} options
 * @returns {Record<string, string>} custom properties of the page
 */
export function paintOf({ theme, accent, opacity, scale, width, margin, position }) {
  const paint = PAINT[theme];
  const [block, inline] = cornerOf(position);
  return {
    "--leaderboard-paper": `rgb(${paint.paper.join(" ")} / ${opacity}%)`,
    "--leaderboard-ink": paint.ink,
    "--leaderboard-soft": opacity < THIN ? paint.ink : paint.soft,
    "--leaderboard-line": paint.line,
    "--leaderboard-border": opacity === 0 ? "transparent" : paint.line,
    "--leaderboard-accent": `#${accent || paint.accent}`,
    "--leaderboard-caution": paint.caution,
    "--leaderboard-gold": paint.gold,
    "--leaderboard-silver": paint.silver,
    "--leaderboard-bronze": paint.bronze,
    "--halo": opacity < THIN ? `0 1px 2px ${paint.halo}, 0 0 6px ${paint.halo}, 0 0 14px ${paint.halo}` : "none",
    "--scale": String(scale / 100),
    "--width": `${width}px`,
    "--margin": `${margin}px`,
    "--block": block,
    "--inline": inline,
  };
}

/**
 * @param {Position} position
 * @returns {[string, string]} down and across, as a grid aligns
 */
export function cornerOf(position) {
  const block = position.startsWith("top") ? "start" : position.startsWith("bottom") ? "end" : "center";
  const inline = position.endsWith("left") ? "start" : position.endsWith("right") ? "end" : "center";
  return [block, inline];
}
