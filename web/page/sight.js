/**
 * What of a list can be seen, or a little more: what nobody sees need not move.
 *
 * @module
 */

/** It is looked at anew this often where nothing scrolls: to look has the page laid out. */
const LOOK_MS = 1_000;
const SCROLLS = { capture: true, passive: true };

export class Sight {
  #list;
  #scroller;
  /** Pixels from the top of the list. */
  #top = -Infinity;
  #bottom = Infinity;
  #lookedAt = -Infinity;

  /**
   * @param {HTMLElement} list
   * @param {() => HTMLElement} scroller what cuts it off, beside the window; what does so around it is not known here
   */
  constructor(list, scroller) {
    this.#list = list;
    this.#scroller = scroller;
  }

  /** Be told of what scrolls and of changes of size, or no longer. @param {boolean} watching */
  watch(watching) {
    // What scrolls within is not heard of outside, and the other way around.
    for (const target of [globalThis, this.#scroller()]) {
      for (const event of ["scroll", "resize"]) {
        if (watching) target.addEventListener(event, this.stray, SCROLLS);
        else target.removeEventListener(event, this.stray, SCROLLS);
      }
    }
  }

  /** What can be seen is another part. */
  stray = () => {
    this.#lookedAt = -Infinity;
  };

  /**
   * Before anything is written, so that the page is not laid out for it.
   *
   * @param {number} now milliseconds
   * @param {number} beyond pixels at the edges that count as seen
   */
  look(now, beyond) {
    if (now < this.#lookedAt + LOOK_MS) return;
    this.#lookedAt = now;
    const { top, bottom, width } = this.#scroller().getBoundingClientRect();
    const begin = this.#list.getBoundingClientRect().top;
    // What is not displayed has no size, and nothing of it can be seen.
    this.#top = width === 0 ? Infinity : Math.max(top, 0) - begin - beyond;
    this.#bottom = width === 0 ? -Infinity : Math.min(bottom, innerHeight) - begin + beyond;
  }

  /**
   * @param {number} top pixels from the top of the list
   * @param {number} bottom
   * @returns {boolean} whether anything between can be seen; before the first look all can
   */
  sees(top, bottom) {
    return bottom >= this.#top && top <= this.#bottom;
  }
}
