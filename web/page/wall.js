/**
 * A screen on a wall: nothing but the board, for those who look from afar. Nobody touches it, so what is there to be
 * touched goes away after a while, and the screen stays on.
 *
 * @module
 */

const IDLE_MS = 3500;

export class Wall {
  #onLeave;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {WakeLockSentinel | null} */
  #awake = null;
  #on = false;

  /** @param {() => void} onLeave somebody has left full screen by the browser's own means */
  constructor(onLeave) {
    this.#onLeave = onLeave;
    document.addEventListener("fullscreenchange", () => {
      if (document.fullscreenElement === null && this.#on) this.#onLeave();
    });
    for (const event of ["pointermove", "keydown", "pointerdown"]) addEventListener(event, () => this.#stir(), { passive: true });
    document.addEventListener("visibilitychange", () => this.#stayAwake());
  }

  /**
   * @param {boolean} on
   * @param {boolean} asked somebody has just asked for it: the browser may fill the screen then, and only then
   */
  show(on, asked) {
    if (on === this.#on) return;
    this.#on = on;
    document.documentElement.classList.toggle("wall", on);
    if (on && asked) document.documentElement.requestFullscreen?.().catch(() => {});
    if (!on && document.fullscreenElement !== null) document.exitFullscreen().catch(() => {});
    this.#stayAwake();
    this.#stir();
  }

  #stir() {
    clearTimeout(this.#timer);
    document.documentElement.classList.remove("idle");
    if (this.#on) this.#timer = setTimeout(() => document.documentElement.classList.add("idle"), IDLE_MS);
  }

  async #stayAwake() {
    if (this.#on && document.visibilityState === "visible" && "wakeLock" in navigator) {
      this.#awake ??= await navigator.wakeLock.request("screen").catch(() => null);
      this.#awake?.addEventListener("release", () => (this.#awake = null));
    } else if (!this.#on) {
      this.#awake?.release().catch(() => {});
      this.#awake = null;
    }
  }
}
