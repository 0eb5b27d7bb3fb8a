/**
 * Numbers as whoever runs a service reads them. Pure.
 *
 * @module
 */

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });
const one = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });

export const NOTHING = "–";

/** @typedef {number | string | null | undefined} Figure */

/** @param {Figure} value */
export const count = (value) => told(value, (number) => (number < 100_000 ? whole : short).format(number));

/** @param {Figure} value a second */
export const rate = (value) => told(value, (number) => (number < 10 ? one.format(number) : count(Math.round(number))));

/** @param {Figure} value seconds that something takes: in milliseconds, below a second */
export const lag = (value) =>
  told(value, (seconds) => (seconds < 1 ? `${seconds < 0.01 ? one.format(seconds * 1000) : Math.round(seconds * 1000)} ms` : `${one.format(seconds)} s`));

/** @param {Figure} value bytes */
export const size = (value) =>
  told(value, (bytes) => {
    if (bytes < 1000) return `${bytes} B`;
    return bytes < 1_000_000 ? `${one.format(bytes / 1000)} kB` : `${one.format(bytes / 1_000_000)} MB`;
  });

/**
 * @param {number} ms
 * @returns {string} the two greatest units at the most, such as `3 d 4 h`
 */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * @param {readonly Record<string, unknown>[]} processes
 * @param {string} name
 * @returns {number | null} null: none of them tells
 */
export function sum(processes, name) {
  const values = processes.map((process) => process[name]).filter((value) => typeof value === "number");
  return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
}

/**
 * @param {readonly Record<string, unknown>[]} processes
 * @param {string} name
 * @returns {number | null} the greatest
 */
export function most(processes, name) {
  const values = processes.map((process) => process[name]).filter((value) => typeof value === "number");
  return values.length === 0 ? null : Math.max(...values);
}

/**
 * @param {Figure} value
 * @param {(number: number) => string} write
 */
function told(value, write) {
  return typeof value === "number" && Number.isFinite(value) ? write(value) : NOTHING;
}
