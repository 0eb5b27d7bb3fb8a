/** When to come back after a lost connection. @module */

export const BASE_MS = 500;
export const CAP_MS = 15_000;

/**
 * Anywhere between at once and a bound that doubles, so that the clients of a node that died do not return as one herd.
 *
 * @param {number} attempt failures in a row before this one, from 0
 * @param {() => number} random in [0, 1)
 * @returns {number} milliseconds
 */
export const fullJitter = (attempt, random) => random() * Math.min(CAP_MS, BASE_MS * 2 ** attempt);
