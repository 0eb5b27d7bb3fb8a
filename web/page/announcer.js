/**
 * What a screen reader is told without being asked: little, and never in a hurry.
 *
 * @module
 */

/** Between two times of speaking; what happens meanwhile is summed up in the last sentence of each subject. */
export const QUIET_MS = 20_000;
/** What happens together is said together. */
export const GATHER_MS = 250;

export class Announcer {
  /** @type {Map<string, string | (() => string)>} */
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
   * @param {string | (() => string)} sentence replaces one of the same subject that still waits; empty: that one is not true
   *   any more. A function is asked when it is said: what it tells may have changed meanwhile.
   * @param {string} [subject]
   */
  say(sentence, subject = "") {
    this.#pending.set(subject, sentence);
    this.#timer ??= setTimeout(() => this.#speak(), Math.max(GATHER_MS, this.#spokenAt + this.quiet - performance.now()));
  }

  /** What waits is not said any more. */
  hush() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
  }

  #speak() {
    this.#timer = undefined;
    const sentences = [...this.#pending.values()]
      .map((sentence) => (typeof sentence === "string" ? sentence : sentence()))
      .filter((sentence) => sentence !== "");
    this.#pending.clear();
    if (sentences.length === 0) return;
    this.#spokenAt = performance.now();
    this.region.textContent = sentences.join(" ");
  }
}
