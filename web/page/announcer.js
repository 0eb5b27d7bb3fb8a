/**
 * What a screen reader is told without being asked: little, and never in a hurry.
 *
 * @module
 */

/** Between two sentences; what happens meanwhile is summed up in the last one. */
export const QUIET_MS = 20_000;

export class Announcer {
  /** @type {string | null} */
  #pending = null;
  #spokenAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} region with `aria-live="polite"`
   * @param {number} [quiet] milliseconds between two sentences
   */
  constructor(region, quiet = QUIET_MS) {
    this.region = region;
    this.quiet = quiet;
  }

  /** @param {string} sentence replaces one that still waits */
  say(sentence) {
    this.#pending = sentence;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#speak(), Math.max(0, this.#spokenAt + this.quiet - performance.now()));
  }

  /** What waits is not said any more. */
  hush() {
    clearTimeout(this.#timer);
  }

  #speak() {
    this.#spokenAt = performance.now();
    this.region.textContent = this.#pending;
  }
}
