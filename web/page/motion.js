/**
 * Rows that change their place: each is first drawn where it was, and the distance then decays. An exponential has no
 * memory, so a row that is displaced again on its way goes on as smoothly as one that was at rest, and where it is
 * drawn is known without asking the page. The frames between are the compositor's work.
 *
 * @module
 */

import { Pace } from "./pace.js";

/** A second: nine tenths of the way are done in 0.27 s. */
const RATE = 8.5;
const DURATION_MS = 700;
const VISIBLE_PX = 0.5;

/**
 * @param {number} ms since the start
 * @returns {number} the share of the distance that is left, 1 to 0
 */
export function remaining(ms) {
  const end = Math.exp((-RATE * DURATION_MS) / 1000);
  return ms >= DURATION_MS ? 0 : (Math.exp((-RATE * ms) / 1000) - end) / (1 - end);
}

const STEPS = 24;
const EASING = `linear(${Array.from({ length: STEPS + 1 }, (_, step) =>
  (1 - remaining((step / STEPS) * DURATION_MS)).toFixed(4),
).join(", ")})`;

/** One for all that glides in this page: a layer is a layer, whichever board it is of. */
const pace = new Pace();
let restsAt = -Infinity;
let watching = false;

/** @param {number} now milliseconds @returns {boolean} false: what moves had better not glide, nor glow */
export const keepsUp = (now) => pace.keepsUp(now);

/** @param {number} now of a frame in which something begins to glide: frames are counted until it rests */
function watch(now) {
  restsAt = now + DURATION_MS;
  if (!watching) step(now);
}

/** @param {number} now */
function step(now) {
  pace.frame(now);
  watching = now < restsAt && pace.keepsUp(now);
  if (watching) requestAnimationFrame(step);
  else pace.rest();
}

/**
 * Pixels, to the right and down.
 * @typedef {{x: number, y: number}} Vector
 */

export class Motion {
  #start = 0;
  /** @type {Vector} */
  #distance = { x: 0, y: 0 };
  /** @type {Animation | null} */
  #animation = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
  }

  /**
   * @param {number} now milliseconds
   * @returns {Vector} between where it is drawn and where it belongs
   */
  offset(now) {
    const left = remaining(now - this.#start);
    return { x: this.#distance.x * left, y: this.#distance.y * left };
  }

  /**
   * @param {Vector} distance by which its place has just changed, against the change
   * @param {number} farthest pixels; a longer way down or up would be a blur and is not shown in full
   * @param {number} now milliseconds
   * @param {() => void} onRest
   */
  displace(distance, farthest, now, onRest) {
    const { x, y } = this.offset(now);
    this.#distance = { x: x + distance.x, y: Math.max(-farthest, Math.min(farthest, y + distance.y)) };
    this.#start = now;
    this.#animation?.cancel();
    this.#animation = null;
    if (Math.hypot(this.#distance.x, this.#distance.y) < VISIBLE_PX) {
      onRest();
      return;
    }
    const from = `translate(${this.#distance.x.toFixed(1)}px, ${this.#distance.y.toFixed(1)}px)`;
    const animation = this.element.animate({ transform: [from, "none"] }, { duration: DURATION_MS, easing: EASING });
    this.#animation = animation;
    watch(now);
    animation.onfinish = () => {
      // One that has ended is nothing to hold on to.
      if (this.#animation === animation) this.#animation = null;
      onRest();
    };
  }

  /** It is where it belongs. */
  stop() {
    this.#distance = { x: 0, y: 0 };
    this.#animation?.cancel();
    this.#animation = null;
  }
}
