/**
 * A board between its document and the form in which it is edited. Pure.
 *
 * @module
 */

/** @typedef {import("./documents.d.ts").BoardDocument} BoardDocument */

/**
 * What stands in the form: texts, as they are typed.
 *
 * @typedef {object} Draft
 * @property {string} board
 * @property {string} title
 * @property {DraftColumn[]} columns
 * @property {string} operator
 * @property {string} ranks
 * @property {string} writes
 * @property {boolean} open seen by everybody
 */

/**
 * @typedef {object} DraftColumn
 * @property {string} name
 * @property {string} direction
 * @property {string} decimals
 * @property {string} minimum as it is shown: with the decimals
 * @property {string} maximum
 */

export const MOST_COLUMNS = 4;
const ID = /^[A-Za-z0-9_.-]{1,64}$/;
const MOST_DECIMALS = 9;
const [LEAST, GREATEST] = [-(2n ** 63n), 2n ** 63n - 1n];

/** @returns {DraftColumn} */
export const newColumn = (name = "") => ({ name, direction: "desc", decimals: "0", minimum: "", maximum: "" });

/** @returns {Draft} */
export const newDraft = () => ({
  board: "",
  title: "",
  columns: [newColumn("score")],
  operator: "best",
  ranks: "competition",
  writes: "server",
  open: true,
});

/**
 * @param {BoardDocument} document
 * @returns {Draft}
 */
export function draftOf(document) {
  const low = bounds(document.minimum, document.columns.length);
  const high = bounds(document.maximum, document.columns.length);
  return {
    board: document.board,
    title: document.title,
    columns: document.columns.map(({ name, direction, decimals }, index) => ({
      name,
      direction,
      decimals: String(decimals),
      minimum: shown(low[index], decimals),
      maximum: shown(high[index], decimals),
    })),
    operator: document.operator,
    ranks: document.ranks,
    writes: document.writes,
    open: document.public,
  };
}

/**
 * @param {Draft} draft
 * @returns {Record<string, unknown>} what the service is sent
 * @throws {Error} with a sentence for whoever typed it
 */
export function documentOf(draft) {
  if (!ID.test(draft.board)) throw new Error("An id has 1 to 64 letters, digits, dots, dashes or underscores.");
  const columns = draft.columns.map(({ name, direction, decimals }) => {
    if (!ID.test(name)) throw new Error("A column's name has 1 to 64 letters, digits, dots, dashes or underscores.");
    if (!/^\d$/.test(decimals.trim())) throw new Error(`Decimals are 0 to ${MOST_DECIMALS}.`);
    return { name, direction, decimals: Number(decimals) };
  });
  if (new Set(columns.map(({ name }) => name)).size < columns.length) throw new Error("Two columns have the same name.");
  const [minimum, maximum] = /** @type {const} */ (["minimum", "maximum"]).map((bound) => {
    const values = draft.columns.map((column, index) => stored(column[bound], columns[index].decimals));
    if (values.every((value) => value === null)) return null;
    return values.length === 1 ? values[0] : values;
  });
  return {
    title: draft.title.trim(),
    columns,
    operator: draft.operator,
    ranks: draft.ranks,
    writes: draft.writes,
    public: draft.open,
    minimum,
    maximum,
  };
}

/**
 * @param {unknown} value of a document
 * @param {number} width
 * @returns {(number | string | null)[]}
 */
const bounds = (value, width) => (Array.isArray(value) ? value : [/** @type {any} */ (value ?? null), ...Array(width - 1).fill(null)]);

/**
 * @param {number | string | null} value the stored integer
 * @param {number} decimals
 * @returns {string} as it is read: 12345 with 3 decimals is 12.345
 */
export function shown(value, decimals) {
  if (value === null || value === undefined) return "";
  const text = String(value);
  const sign = text.startsWith("-") ? "-" : "";
  const digits = text.replace("-", "").padStart(decimals + 1, "0");
  if (decimals === 0) return sign + digits;
  return `${sign}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/**
 * @param {string} text as somebody types it
 * @param {number} decimals
 * @returns {number | string | null} the stored integer, in digits where a number of this language would not be exact; null: there is none
 * @throws {Error}
 */
export function stored(text, decimals) {
  const typed = text.trim().replace(/\u2212/g, "-");
  if (typed === "") return null;
  const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(typed);
  if (found === null) throw new Error(`“${typed}” is no number.`);
  const [, sign, before, behind = ""] = found;
  if (behind.length > decimals) throw new Error(decimals === 0 ? `“${typed}” has decimals, the column has none.` : `“${typed}” has more than ${decimals} decimals.`);
  const value = BigInt(sign + before + behind.padEnd(decimals, "0"));
  if (value < LEAST || value > GREATEST) throw new Error(`“${typed}” is too large.`);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
