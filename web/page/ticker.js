/**
 * What just happened, told one after the other: at a pace that can be read, whatever the pace of the board.
 *
 * @module
 */

import { Face } from "./face.js";
import { ago, displayName, ordinal } from "./format.js";
import { byId, make, write } from "./make.js";
import { keepsUp } from "./motion.js";

/** @typedef {import("./happenings.js").Happening} Happening */

/** Between two that are told, in milliseconds; and how long one may wait for its turn. */
export const BEAT_MS = 1100;
export const PATIENCE_MS = 4000;
const MOST_WAITING = 60;
const MOST_SHOWN = 40;
const AGE_MS = 5000;

/** Those that wait: the weightiest is told first, and what has become old is not told at all. Pure. */
export class Waiting {
  /** @type {{happening: Happening, at: number}[]} */
  #waiting = [];

  /**
   * @param {readonly Happening[]} happenings
   * @param {number} now
   */
  add(happenings, now) {
    const all = [...this.#waiting, ...happenings.map((happening) => ({ happening, at: now }))];
    // A sort that keeps the order of equals: of two alike the earlier comes first.
    this.#waiting = all.sort((one, other) => other.happening.weight - one.happening.weight).slice(0, MOST_WAITING);
  }

  /**
   * @param {number} now
   * @returns {{happening: Happening, at: number} | null}
   */
  take(now) {
    this.#waiting = this.#waiting.filter(({ at }) => at > now - PATIENCE_MS);
    return this.#waiting.shift() ?? null;
  }

  clear() {
    this.#waiting = [];
  }
}

/**
 * @param {Happening} happening
 * @returns {{text: string, who?: boolean}[]} the sentence, names apart
 */
export function sentence({ kind, entry, past, others }) {
  const who = { text: displayName(entry), who: true };
  const whom = past === null ? [] : [{ text: displayName(past), who: true }];
  const more = others > 0 ? ` and ${others} more` : "";
  const rank = ordinal(entry.rank);
  if (kind === "leads") return [who, { text: " takes the lead from " }, ...whom];
  if (kind === "podium") return [who, { text: ` climbs to ${rank}` }];
  if (kind === "top10") return [who, { text: ` enters the top 10, at ${rank}` }];
  if (kind === "joins") return [who, { text: ` comes in at ${rank}` }];
  if (kind === "level") return [who, { text: past === null ? ` is now ${rank}` : " draws level with " }, ...whom];
  return [who, { text: " passes " }, ...whom, { text: `${more}, now ${rank}` }];
}

export class Ticker {
  #list = byId("happenings");
  #quiet = byId("quiet");
  #waiting = new Waiting();
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #slots;
  #onChoose;

  /**
   * @param {() => ReadonlyMap<string, number>} slots of the players who are watched
   * @param {(player: string) => void} onChoose
   */
  constructor(slots, onChoose) {
    this.#slots = slots;
    this.#onChoose = onChoose;
    setInterval(() => this.#beat(), BEAT_MS);
    setInterval(() => this.#age(), AGE_MS);
  }

  /** @param {readonly Happening[]} happenings */
  tell(happenings) {
    if (happenings.length > 0) this.#waiting.add(happenings, performance.now());
  }

  clear() {
    this.#waiting.clear();
    this.#list.replaceChildren();
    this.#quiet.hidden = false;
  }

  #beat() {
    const next = document.visibilityState === "visible" ? this.#waiting.take(performance.now()) : null;
    if (next === null) return;
    this.#quiet.hidden = true;
    const item = this.#item(next.happening);
    this.#list.prepend(item);
    while (this.#list.children.length > MOST_SHOWN) this.#list.lastElementChild?.remove();
    this.#slide(item);
    this.#age();
  }

  /** @param {HTMLElement} item */
  #slide(item) {
    if (!keepsUp(performance.now())) return;
    item.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 500, easing: "ease-out" });
    if (this.#calm.matches) return;
    const from = [{ transform: `translateY(${-item.offsetHeight}px)` }, { transform: "none" }];
    this.#list.animate(from, { duration: 500, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" });
  }

  /** @param {Happening} happening */
  #item(happening) {
    const { kind, entry, past } = happening;
    const face = new Face();
    face.show(entry);
    const words = sentence(happening).map(({ text, who }) => (who ? make("bdi", "named", text) : text));
    const choose = make("button", "told", face.element, make("span", "words", ...words), make("time", "age", "now"));
    choose.type = "button";
    choose.addEventListener("click", () => this.#onChoose(entry.player));
    const item = make("li", kind, choose);
    item.dataset.at = String(performance.now());
    const slots = this.#slots();
    const slot = slots.get(entry.player) ?? slots.get(past?.player ?? "");
    if (slot !== undefined) item.dataset.slot = String(slot);
    return item;
  }

  #age() {
    const now = performance.now();
    for (const item of this.#list.children) {
      const age = item.querySelector(".age");
      if (age !== null && item instanceof HTMLElement) write(age, ago(now - Number(item.dataset.at)));
    }
  }
}
