/**
 * One row of the table: made once for a player, then only what changed is written. Whatever comes from outside is
 * written as text, never parsed.
 *
 * @module
 */

import { Face } from "./face.js";
import { countryName, displayName, formatScore } from "./format.js";
import { Motion } from "./motion.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./boards.js").Column} Column */
/** @typedef {import("./movement.js").Movement} Movement */

const GLOW = { duration: 1800, easing: "ease-out" };

export class Row {
  element = cell("row", "row");
  /** Where it was drawn last, from 0; -1: nowhere. */
  index = -1;
  /** The score is new since the last drawing. */
  scored = false;
  /** @type {string[]} */
  texts = [];
  /** @type {Entry | null} */
  #entry = null;
  #rank = cell("cell", "rank");
  #number = document.createElement("span");
  #share = document.createElement("span");
  #move = cell("cell", "move");
  #arrow = document.createElement("span");
  #face = new Face();
  #name = document.createElement("bdi");
  #country = document.createElement("span");
  #follow = document.createElement("button");
  /** @type {HTMLElement[]} */
  #scores = [];
  #columns;
  #motion = new Motion(this.element);
  // An element: a row that was never in sight has nothing yet of what a style makes up, and its glow would be of nothing.
  #breath = document.createElement("div");
  /** @type {Animation | null} */
  #glow = null;
  #movement = "";
  #scale = "";

  /** @param {Column[]} columns */
  constructor(columns) {
    this.#columns = columns;
    this.#number.className = "number";
    this.#share.className = "share";
    this.#rank.append(this.#number, this.#share);
    this.#move.append(this.#arrow);
    const player = cell("rowheader", "player");
    this.#name.className = "name";
    this.#country.className = "country";
    player.append(this.#face.element, this.#name, this.#country);
    this.#scores = columns.map(({ name }) => {
      const score = cell("cell", "score");
      score.dataset.label = name;
      return score;
    });
    const follow = cell("cell", "follow");
    this.#follow.type = "button";
    this.#follow.tabIndex = -1;
    this.#follow.setAttribute("aria-pressed", "false");
    follow.append(this.#follow);
    this.#breath.className = "breath";
    this.#breath.setAttribute("aria-hidden", "true");
    this.element.append(this.#rank, this.#move, player, ...this.#scores, follow, this.#breath);
  }

  /** @param {Entry} entry */
  show(entry) {
    const before = this.#entry;
    if (entry === before) return;
    this.#entry = entry;
    if (before?.rank !== entry.rank) {
      this.#number.textContent = String(entry.rank);
      this.element.dataset.rank = entry.rank <= 3 ? String(entry.rank) : "";
    }
    if (before === null) this.element.dataset.player = entry.player;
    if (before?.name !== entry.name || before?.picture !== entry.picture) this.#portray(entry);
    if (before?.country !== entry.country) this.#locate(entry);
    this.#score(entry);
  }

  /** @param {number} share of the leader's first column, 0 to 1: the line below the row is a bar of that length */
  showShare(share) {
    const scale = `scaleX(${share.toFixed(3)})`;
    if (scale === this.#scale) return;
    this.#scale = scale;
    // On an element of its own: a row without inline styles moves cheaper.
    this.#share.style.transform = scale;
  }

  /**
   * @param {number} index its place from 0
   * @param {boolean} leads drawn taller
   */
  stand(index, leads) {
    this.element.classList.toggle("leader", leads);
    if (leads) this.element.dataset.place = String(index);
  }

  /**
   * Let it glide from where it was. Who scored passes in front of those who give way.
   *
   * @param {import("./motion.js").Vector} distance
   * @param {number} farthest pixels
   * @param {number} now milliseconds
   */
  glide(distance, farthest, now) {
    if (this.scored) this.element.classList.add("front");
    this.#motion.displace(distance, farthest, now, this.#rest);
  }

  /** @param {number} now milliseconds @returns {import("./motion.js").Vector} from where it belongs to where it is drawn */
  offset(now) {
    return this.#motion.offset(now);
  }

  /** It is where it belongs, at once. */
  stop() {
    this.#motion.stop();
    this.#rest();
  }

  #rest = () => this.element.classList.remove("front");

  /**
   * Whether it is watched, and with which of the plot's colours.
   *
   * @param {number | null} slot
   * @param {boolean} mine
   */
  mark(slot, mine) {
    if (slot === null) delete this.element.dataset.slot;
    else this.element.dataset.slot = String(slot);
    this.element.classList.toggle("mine", mine);
    this.#follow.setAttribute("aria-pressed", String(slot !== null));
  }

  /** @param {boolean} reachable by the tab key: one row of the table is, the others by arrows */
  reach(reachable) {
    this.#follow.tabIndex = reachable ? 0 : -1;
  }

  focus() {
    this.#follow.focus();
  }

  /** It has come to lead. */
  gleam() {
    const sweep = [{ opacity: 1, backgroundPosition: "100% 0" }, { opacity: 1, backgroundPosition: "0 0" }];
    this.element.animate(sweep, { duration: 1500, delay: 350, easing: "ease-in-out", pseudoElement: "::after" });
  }

  /** Somebody looks for it. */
  flash() {
    this.#breath.animate([{ opacity: 1 }, { opacity: 1, offset: 0.5 }, { opacity: 0 }], { ...GLOW, duration: 2600 });
  }

  /** @param {Movement} movement */
  showMovement({ kind, by }) {
    const shown = `${kind} ${by}`;
    if (shown === this.#movement) return;
    this.#movement = shown;
    this.element.classList.toggle("moved", kind !== "same");
    this.#arrow.className = kind;
    this.#arrow.textContent = kind === "new" ? "new" : by === 0 ? "" : String(by);
    if (kind === "same") {
      this.#arrow.removeAttribute("role");
      this.#arrow.removeAttribute("aria-label");
    } else {
      this.#arrow.setAttribute("role", "img");
      this.#arrow.setAttribute("aria-label", kind === "new" ? "new" : `${kind} ${by}`);
    }
  }

  /** The score is new: a breath of colour, also where motion is not wanted. */
  glow() {
    if (this.#glow === null) this.#glow = this.#breath.animate([{ opacity: 1 }, { opacity: 0 }], GLOW);
    else this.#glow.currentTime = 0;
    this.#glow.play();
  }

  /** What glowed is over. */
  dim() {
    this.#glow?.cancel();
  }

  fadeIn() {
    this.element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 400, easing: "ease-out" });
  }

  /** @param {Entry} entry */
  #portray(entry) {
    const name = displayName(entry);
    this.#name.textContent = name;
    this.#name.title = name;
    this.#follow.setAttribute("aria-label", `Follow ${name}`);
    this.#face.show(entry);
  }

  /** @param {Entry} entry */
  #locate({ country }) {
    this.#country.textContent = country ?? "";
    this.#country.title = countryName(country);
  }

  /** @param {Entry} entry */
  #score({ score }) {
    const values = Array.isArray(score) ? score : [score];
    this.#columns.forEach((column, index) => {
      const text = values[index] === undefined ? "" : formatScore(values[index], column.decimals);
      if (text === this.texts[index]) return;
      this.scored ||= this.texts[index] !== undefined;
      this.texts[index] = text;
      this.#scores[index].textContent = text;
    });
  }
}

/**
 * A part of the table. Roles on plain elements say what it is: a real `tr` that moves has all of its cells styled
 * anew in every frame, which costs ten times as much.
 *
 * @param {string} role
 * @param {string} name
 */
export function cell(role, name) {
  const element = document.createElement("div");
  element.setAttribute("role", role);
  element.className = name;
  return element;
}
