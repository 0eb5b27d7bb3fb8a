/**
 * Whether the machine keeps up with rows that glide. Each is a layer of its own; where no graphics processor puts them
 * together, that is done by the processor that has all else to do, and frames are missed. Then it is better not to glide
 * for a while, and to try again later: the machine may have been busy with something else.
 *
 * The time of each frame is handed in; nothing here looks at a clock.
 *
 * @module
 */

const FRAME_MS = 1000 / 60;
/** A display that never was quicker than this is no reason; what is slower still, is. */
const SLOWEST_FRAME_MS = 1000 / 30;
/** A frame that took as many times the best one is late: it is whole frames that are missed, give or take what clocks are off. */
const LATE = 1.4;
/** The share of late frames that is too many. */
const TOO_MANY = 1 / 10;
/** It is judged of so much gliding at a time, and of so much where it is tried again. */
const STRETCH_MS = 1_500;
const TRIAL_MS = 400;
/** A frame counts for no more than this: one or two that took long are no stretch, and five are. */
const LONGEST_FRAME_MS = 300;
/** No frame is as long: nobody looked. */
const AWAY_MS = 3_000;
/** Glides that are further apart than this are not judged together. */
const APART_MS = 5_000;
export const PAUSE_MS = 10_000;
export const LONGEST_PAUSE_MS = 60_000;

export class Pace {
  #best = SLOWEST_FRAME_MS;
  #last = -Infinity;
  #resting = true;
  /** Of the stretch that is looked at. */
  #glided = 0;
  #frames = 0;
  #late = 0;
  #trying = false;
  /** How long not to glide the next time. */
  #pause = PAUSE_MS;
  #until = -Infinity;

  /** @param {number} now milliseconds @returns {boolean} false: rows had better stand where they belong, at once */
  keepsUp(now) {
    return now >= this.#until;
  }

  /** @param {number} now milliseconds: of a frame while something glides */
  frame(now) {
    const gap = now - this.#last;
    const follows = !this.#resting && gap < AWAY_MS;
    if (gap > APART_MS) this.#startOver();
    this.#last = now;
    this.#resting = false;
    if (follows && this.keepsUp(now)) this.#count(gap, now);
  }

  /** Nothing glides any longer: until the next frame is no frame's time. */
  rest() {
    this.#resting = true;
  }

  /**
   * @param {number} gap since the frame before
   * @param {number} now
   */
  #count(gap, now) {
    this.#best = Math.max(FRAME_MS, Math.min(this.#best, gap));
    this.#glided += Math.min(gap, LONGEST_FRAME_MS);
    this.#frames += 1;
    if (gap > LATE * this.#best) this.#late += 1;
    if (this.#glided >= (this.#trying ? TRIAL_MS : STRETCH_MS)) this.#judge(now);
  }

  /** @param {number} now */
  #judge(now) {
    // One alone is a hiccup, also where little is looked at.
    if (this.#late > Math.max(1, this.#frames * TOO_MANY)) {
      this.#until = now + this.#pause;
      // Where it fails again at once, it is tried less often.
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
      this.#trying = true;
    } else if (this.#trying) this.#trying = false;
    // A trial may be passed by chance, a whole stretch is not.
    else this.#pause = PAUSE_MS;
    this.#startOver();
  }

  #startOver() {
    this.#glided = this.#frames = this.#late = 0;
  }
}
