/**
 * How wide columns of scores must be. Pure.
 *
 * @module
 */

/**
 * In digits.
 * @typedef {{values: number, heading: number}} Width
 */

/**
 * @param {readonly {name: string}[]} columns
 * @param {readonly (readonly string[])[]} rows each row's texts, one a column
 * @returns {Width[]} said once for all rows: no row's text can make another be laid out again
 */
export function widthsOf(columns, rows) {
  return columns.map(({ name }, column) => {
    const longest = rows.reduce((most, texts) => Math.max(most, texts[column]?.length ?? 0), 2);
    // A little more than the digits, for separators and the heavier first column.
    return { values: longest * 1.04 + 0.5, heading: broad(name) * 0.74 + 0.5 };
  });
}

/**
 * @param {string} text
 * @returns {number} its width in digits, roughly
 */
function broad(text) {
  let width = 0;
  for (const character of text) width += character > "\u2e80" ? 2 : 1;
  return width;
}
