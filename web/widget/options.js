/**
 * What an embedder may write, and what it means. Pure.
 *
 * @module
 */

/** @typedef {import("../page/format.js").Style} Style */

/**
 * @typedef {object} Options
 * @property {string | null} board null: none is named
 * @property {string} service where it is, without a slash at the end
 * @property {"top" | "around"} view
 * @property {number} limit rows of the top, 1 to 100
 * @property {string | null} player who is watched
 * @property {number} radius rows on either side of the player, 1 to 10
 * @property {"auto" | "light" | "dark"} theme
 * @property {"comfortable" | "compact"} density
 * @property {string | undefined} locale undefined: the reader's
 * @property {readonly Style[]} numbers one a score; the last holds for those beyond
 * @property {readonly string[] | null} columns words of WORDS, and names of scores; null: all
 * @property {"auto" | "initials" | "none"} pictures
 * @property {string | null} heading null: the board's title; nothing at all where it is empty
 * @property {boolean} selectable
 * @property {boolean} quiet a screen reader is told nothing by itself
 */

export const ATTRIBUTES = [
  "board",
  "src",
  "view",
  "limit",
  "player",
  "radius",
  "theme",
  "density",
  "locale",
  "numbers",
  "columns",
  "pictures",
  "heading",
  "selectable",
  "quiet",
];

/** Columns that every board has; `score` stands for all scores. The player is always there. */
const WORDS = ["rank", "move", "country", "score"];

/** Lists that the service keeps for everybody. */
const SIZES = [10, 25, 50, 100];

/**
 * @param {(name: string) => string | null} get an attribute; null: it is not there
 * @param {string} home where the widget came from
 * @param {string} base what `src` is relative to
 * @returns {Options} what cannot be understood is as if it were not there
 */
export function optionsOf(get, home, base) {
  return {
    board: get("board")?.trim() || null,
    service: serviceOf(get("src"), home, base),
    view: one(get("view"), ["top", "around"]),
    limit: whole(get("limit"), 10, 100),
    player: get("player")?.trim() || null,
    radius: whole(get("radius"), 3, 10),
    theme: one(get("theme"), ["auto", "light", "dark"]),
    density: one(get("density"), ["comfortable", "compact"]),
    locale: localeOf(get("locale")),
    numbers: words(get("numbers")).map((word) => one(word, ["grouped", "compact", "plain", "clock"])),
    columns: get("columns") === null ? null : words(get("columns")),
    pictures: one(get("pictures"), ["auto", "initials", "none"]),
    heading: get("heading"),
    selectable: get("selectable") !== null,
    quiet: get("quiet") !== null,
  };
}

/**
 * @param {number} limit
 * @returns {number} the smallest list of the service that has as many rows
 */
export const sizeFor = (limit) => SIZES.find((size) => size >= limit) ?? 100;

/**
 * @param {Options} options
 * @param {string} word of WORDS
 */
export const hasColumn = ({ columns }, word) => columns === null || columns.includes(word);

/**
 * @param {Options} options
 * @param {readonly {name: string}[]} scores of the board
 * @returns {number[]} the places of those that are shown
 */
export function scoresShown(options, scores) {
  const all = scores.map((_, index) => index);
  if (hasColumn(options, "score")) return all;
  const named = options.columns?.filter((word) => !WORDS.includes(word)).map((word) => word.toLowerCase()) ?? [];
  return all.filter((index) => named.includes(scores[index].name.toLowerCase()));
}

/**
 * @param {Options} options
 * @param {number} index of a score
 * @returns {Style}
 */
export const styleOf = ({ numbers }, index) => numbers[index] ?? numbers.at(-1) ?? "grouped";

/**
 * @param {string | null} source
 * @param {string} home
 * @param {string} base
 */
function serviceOf(source, home, base) {
  const address = source?.trim() && URL.canParse(source, base) ? new URL(source, base) : new URL("/", home);
  const web = /^https?:$/.test(address.protocol) ? address : new URL("/", home);
  return (web.origin + web.pathname).replace(/\/+$/, "");
}

/**
 * @template {string} T
 * @param {string | null} value
 * @param {T[]} choices the first holds where it is none of them
 * @returns {T}
 */
const one = (value, choices) => choices.find((choice) => choice === value?.trim().toLowerCase()) ?? choices[0];

/**
 * @param {string | null} value
 * @param {number} otherwise
 * @param {number} most
 */
function whole(value, otherwise, most) {
  const number = Number.parseInt(value ?? "", 10);
  return Number.isNaN(number) ? otherwise : Math.max(1, Math.min(most, number));
}

/** @param {string | null} value */
const words = (value) => value?.split(/[\s,]+/).filter((word) => word !== "") ?? [];

/** @param {string | null} value */
function localeOf(value) {
  try {
    return value?.trim() ? Intl.getCanonicalLocales(value.trim())[0] : undefined;
  } catch {
    return undefined;
  }
}
