/**
 * From what the wire carries to what people read. Pure.
 *
 * @module
 */

/** @typedef {import("../client/index.d.ts").Int} Int */
/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./boards.js").Column} Column */

const MINUS = "\u2212";
// White space, controls and format characters (zero width, direction marks): a name of only these shows nothing.
const INVISIBLE = /^[\s\p{C}\p{Z}\u115f\u1160\u2800\u3164\uffa0]*$/u;

/**
 * How numbers are written: in groups, shortened (1.2M, not exact), as bare digits, or as a time (a count of seconds as 1:02:03.5).
 * @typedef {"grouped" | "compact" | "plain" | "clock"} Style
 */

export class Numbers {
  #grouped;
  #plain;
  #compact;
  #point;

  /** @param {string} [locale] the reader's if not said */
  constructor(locale) {
    this.#grouped = new Intl.NumberFormat(locale);
    this.#plain = new Intl.NumberFormat(locale, { useGrouping: false });
    this.#compact = new Intl.NumberFormat(locale, { notation: "compact", maximumSignificantDigits: 3 });
    this.#point = this.#grouped.formatToParts(0.5).find((part) => part.type === "decimal")?.value ?? ".";
  }

  /** @param {number} value */
  count(value) {
    return this.#grouped.format(value);
  }

  /**
   * @param {Int} value the stored integer, of any size
   * @param {number} [decimals] how many of its digits are behind the point
   * @param {Style} [style]
   * @returns {string} exact to the last digit unless shortened: 12345 with 3 decimals is 12.345
   */
  score(value, decimals = 0, style = "grouped") {
    const text = String(value);
    const sign = text.startsWith("-") ? MINUS : "";
    const bare = text.replace("-", "").padStart(decimals + 1, "0");
    const split = bare.length - decimals;
    const whole = BigInt(bare.slice(0, split));
    if (style === "compact" && whole >= 1000n) return sign + this.#compact.format(whole);
    const written = style === "clock" ? this.#clock(whole) : (style === "plain" ? this.#plain : this.#grouped).format(whole);
    return decimals === 0 ? sign + written : sign + written + this.#point + this.#digits(bare.slice(split));
  }

  /** @param {bigint} seconds */
  #clock(seconds) {
    const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map(String);
    const shown = parts[0] === "0" ? parts.slice(1) : parts;
    return shown.map((part, index) => this.#digits(index === 0 ? part : part.padStart(2, "0"))).join(":");
  }

  /** @param {string} text zeros in front are kept */
  #digits(text) {
    return text.replace(/\d/g, (digit) => this.#plain.format(Number(digit)));
  }
}

const reader = new Numbers();

/**
 * @param {Int} value the stored integer, of any size
 * @param {number} [decimals] how many of its digits are behind the point
 * @returns {string} grouped the reader's way, exact to the last digit
 */
export const formatScore = (value, decimals) => reader.score(value, decimals);

/** @param {number} value */
export const formatCount = (value) => reader.count(value);

/**
 * @param {{player: string, name?: string | null}} entry
 * @returns {string} the name on one line, or the player's id where there is nothing to see in the name
 */
export function displayName({ player, name }) {
  return name === null || name === undefined || INVISIBLE.test(name) ? player : name.replace(/\s+/gu, " ").trim();
}

/**
 * One or two letters that stand in for a picture.
 *
 * @param {string} name
 * @returns {string}
 */
export function initials(name) {
  const words = name.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}\p{So}]/u.test(word));
  if (words.length === 0) return "?";
  const letters = words.slice(0, 2).map(firstGrapheme);
  // Scripts without spaces and emoji fill the circle with one character.
  const narrow = letters.every((letter) => /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Nd}]/u.test(letter));
  return narrow ? letters.join("").toLocaleUpperCase() : letters[0];
}

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** @param {string} word */
function firstGrapheme(word) {
  const found = /[\p{L}\p{N}\p{So}].*/u.exec(word)?.[0] ?? word;
  for (const { segment } of graphemes.segment(found)) {
    // Marks can be piled up without end on one letter; an emoji's joiners are part of it.
    return /^\p{L}/u.test(segment) ? segment.normalize("NFC").replace(/(?<=^.)\p{M}+/u, "") : segment;
  }
  return "?";
}

/** How many tints the styles have for faces without a picture. */
const TINTS = 12;

/**
 * @param {string} player
 * @returns {number} one of the tints, always the same for the same player
 */
export function tintOf(player) {
  let hash = 2166136261;
  for (let index = 0; index < player.length; index += 1) hash = Math.imul(hash ^ player.charCodeAt(index), 16777619);
  return (hash >>> 8) % TINTS;
}

/**
 * @param {Column[]} columns
 * @param {string} ranks
 * @returns {string} how the board is ordered, as a sentence
 */
export function orderSentence(columns, ranks) {
  const parts = columns.map(({ name, direction }) => `${direction === "asc" ? "lowest" : "highest"} ${name}`);
  if (ranks === "ordinal") parts.push("whoever got there first");
  const text = parts.join(", then ");
  const shared = ranks === "ordinal" ? "" : " Equal scores share a rank.";
  return `${text.charAt(0).toLocaleUpperCase()}${text.slice(1)}.${shared}`;
}

const countries = new Intl.DisplayNames(undefined, { type: "region", fallback: "code" });

/**
 * @param {string | null | undefined} code two letters, ISO 3166
 * @returns {string} in the reader's language; nothing where it is no code
 */
export function countryName(code) {
  return code && /^[A-Za-z]{2}$/.test(code) ? (countries.of(code.toUpperCase()) ?? "") : "";
}

/**
 * @param {string | null | undefined} address
 * @param {string} base
 * @returns {string | null} an address that a picture may be loaded from
 */
export function pictureAddress(address, base) {
  if (!address || !URL.canParse(address, base)) return null;
  const url = new URL(address, base);
  return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
}

const turns = new Intl.PluralRules("en", { type: "ordinal" });
/** @type {Record<string, string>} */
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

/** @param {number} rank */
export const ordinal = (rank) => formatCount(rank) + ENDINGS[turns.select(rank)];

/**
 * @param {number} ms
 * @returns {string} how long ago, as short as can be
 */
export function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 4) return "now";
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`;
}

/**
 * @param {number} ms
 * @returns {string} with as many digits as say something
 */
export const milliseconds = (ms) => (ms < 9.95 ? ms.toFixed(1) : formatCount(Math.round(ms))) + " ms";
