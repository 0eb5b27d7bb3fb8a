/**
 * Times, of which the middle and the slow end are told. Pure.
 *
 * @module
 */

export class Meter {
  /** @type {number[]} */
  #values = [];

  /** @param {number} size of how many values it tells */
  constructor(size) {
    this.size = size;
  }

  /** @param {number} value */
  add(value) {
    this.#values.push(value);
    if (this.#values.length > this.size) this.#values.shift();
  }

  get values() {
    return /** @type {readonly number[]} */ (this.#values);
  }

  /**
   * @param {number} share 0.5: the middle
   * @returns {number | null} null: there is nothing to tell
   */
  at(share) {
    const sorted = [...this.#values].sort((one, other) => one - other);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null;
  }

  clear() {
    this.#values = [];
  }
}
