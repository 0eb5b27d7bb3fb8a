/**
 * What a screen reader is told without being asked: little, and never in a hurry.
 *
 * @module
 */

/** Between two times of speaking; what happens meanwhile is summed up in the last sentence of each subject. */
export const QUIET_MS = 20_000;

export class Announcer {
  /** @type {Map<string, string>} */
  #pending = new Map();
  #spokenAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {{textContent: string | null}} region with `aria-live="polite"`
   * @param {number} [quiet] milliseconds between two times of speaking
   */
  constructor(region, quiet = QUIET_MS) {
    this.region = region;
    this.quiet = quiet;
  }

  /**
   * @param {string} sentence replaces one of the same subject that still waits
   * @param {string} [subject]
   */
  say(sentence, subject = "") {
    this.#pending.set(subject, sentence);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#speak(), Math.max(0, this.#spokenAt + this.quiet - performance.now()));
  }

  /** What waits is not said any more. */
  hush() {
    clearTimeout(this.#timer);
    this.#pending.clear();
  }

  #speak() {
    this.#spokenAt = performance.now();
    this.region.textContent = [...this.#pending.values()].join(" ");
    this.#pending.clear();
  }
}
