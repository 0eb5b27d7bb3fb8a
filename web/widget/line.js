/**
 * One row. It is used again for another player when its own has left, and only what changed is written. Whatever comes
 * from outside is written as text, never parsed.
 *
 * @module
 */

import { Face } from "../page/face.js";
import { countryName, displayName } from "../page/format.js";
import { make, write } from "../page/make.js";
import { Motion } from "../page/motion.js";
import { cell } from "../page/row.js";
import { hasColumn, styleOf } from "./options.js";
import { fill } from "./words.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("../page/boards.js").Column} Column */

/**
 * How all rows are drawn: `shown` has the places of the scores in an entry.
 * @typedef {object} Manner
 * @property {import("./options.js").Options} options
 * @property {readonly Column[]} columns of the board
 * @property {readonly number[]} shown
 * @property {import("../page/format.js").Numbers} numbers
 * @property {import("./words.js").Words} words
 */

const GLOW = { duration: 1800, easing: "ease-out" };
const MEDALS = 3;

export class Line {
  element = part("row", "line", "row");
  index = -1;
  /** The score is new since the last drawing. */
  scored = false;
  /** As they stand there, one a score that is shown. @type {string[]} */
  texts = [];
  /** @type {Entry | null} */
  entry = null;
  #manner;
  #rank = make("span");
  #arrow = make("span");
  #face;
  #name = document.createElement("bdi");
  #you = make("span", "you");
  #country = make("span", "country");
  #pick = make("button", "pick");
  /** @type {HTMLElement[]} */
  #values = [];
  #motion = new Motion(this.element);
  // An element: to animate what a style makes up has the whole page styled at once.
  #breath = make("div", "glow");
  /** @type {Animation | null} */
  #glow = null;
  #movement = "";
  #marked = "false false";

  /** @param {Manner} manner */
  constructor(manner) {
    this.#manner = manner;
    const { options, shown, words } = manner;
    this.#face = new Face(`${options.service}/`);
    const player = part("rowheader", "player", "player");
    this.#face.element.setAttribute("part", "picture");
    this.#name.className = "name";
    this.#name.setAttribute("part", "name");
    this.#country.setAttribute("part", "country");
    this.#you.textContent = words.you;
    this.#you.hidden = true;
    if (options.pictures !== "none") player.append(this.#face.element);
    player.append(this.#name, this.#you);
    if (hasColumn(options, "country")) player.append(this.#country);
    if (options.selectable) player.append(this.#button());
    if (hasColumn(options, "rank")) this.element.append(holding("rank", this.#rank));
    this.element.append(player);
    if (hasColumn(options, "move")) this.element.append(holding("move", this.#arrow));
    this.#values = shown.map(() => make("span"));
    const scores = this.#values.map((value, index) => holding("score", value, `score score-${index}`));
    this.#breath.setAttribute("aria-hidden", "true");
    this.element.append(...scores, this.#breath);
  }

  /** @param {Entry} entry */
  show(entry) {
    const before = this.entry;
    if (entry === before) return;
    this.entry = entry;
    const { options } = this.#manner;
    if (before?.rank !== entry.rank) {
      this.#rank.textContent = this.#manner.numbers.count(entry.rank);
      const medal = entry.rank <= MEDALS ? String(entry.rank) : "";
      if (this.element.dataset.medal !== medal) this.element.dataset.medal = medal;
    }
    const other = before?.player !== entry.player;
    if (other) this.element.dataset.player = entry.player;
    if (other || before?.name !== entry.name || before?.picture !== entry.picture) {
      const name = displayName(entry);
      write(this.#name, name);
      this.#name.title = name;
      this.#pick.setAttribute("aria-label", name);
      this.#face.show(options.pictures === "auto" ? entry : { ...entry, picture: null });
    }
    if (before?.country !== entry.country) {
      this.#country.textContent = entry.country ?? "";
      this.#country.title = countryName(entry.country);
    }
    this.#score(entry, other ? null : before);
  }

  /** @param {import("../page/movement.js").Movement} movement */
  showMovement({ kind, by }) {
    const shown = `${kind} ${by}`;
    if (shown === this.#movement) return;
    this.#movement = shown;
    const { words, numbers } = this.#manner;
    this.#arrow.className = kind;
    if (kind === "same") {
      this.#arrow.textContent = "";
      // A picture of nothing needs no name, and would want one.
      this.#arrow.removeAttribute("role");
      this.#arrow.removeAttribute("aria-label");
    } else {
      this.#arrow.setAttribute("role", "img");
      this.#arrow.textContent = kind === "new" ? words.new : numbers.count(by);
      this.#arrow.setAttribute("aria-label", fill(words[kind], { by: numbers.count(by) }));
    }
  }

  /**
   * @param {boolean} mine the player is the one who is watched
   * @param {boolean} me and the one who looks
   */
  mark(mine, me) {
    // To write the same once more would have the row styled anew.
    const marked = `${mine} ${me}`;
    if (marked === this.#marked) return;
    this.#marked = marked;
    this.element.classList.toggle("mine", mine);
    this.element.setAttribute("part", mine ? "row mine" : "row");
    this.#you.hidden = !me;
  }

  /** @param {boolean} reachable by the tab key: one row is, the others by arrows */
  reach(reachable) {
    this.#pick.tabIndex = reachable ? 0 : -1;
  }

  focus() {
    this.#pick.focus();
  }

  /**
   * Let it glide from where it was. Who scored passes in front of those who give way.
   *
   * @param {number} distance pixels down
   * @param {number} farthest pixels
   * @param {number} now milliseconds
   */
  glide(distance, farthest, now) {
    if (this.scored) this.element.classList.add("front");
    this.#motion.displace({ x: 0, y: distance }, farthest, now, this.#rest);
  }

  /** @param {number} now milliseconds @returns {number} pixels down from where it belongs */
  offset(now) {
    return this.#motion.offset(now).y;
  }

  /** It is where it belongs, at once. */
  stop() {
    this.#motion.stop();
    this.#rest();
  }

  /** The score is new: a breath of colour, also where motion is not wanted. */
  glow() {
    if (this.#glow === null) this.#glow = this.#breath.animate([{ opacity: 1 }, { opacity: 0 }], GLOW);
    else this.#glow.currentTime = 0;
    this.#glow.play();
  }

  /** Nothing of it is seen. */
  dim() {
    this.#glow?.cancel();
  }

  fadeIn() {
    this.element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 400, easing: "ease-out" });
  }

  /** Its player has left: ready for another, who has nothing of what moved here. */
  rest() {
    this.stop();
    this.#glow?.cancel();
    this.index = -1;
    this.scored = false;
  }

  #rest = () => this.element.classList.remove("front");

  #button() {
    this.#pick.type = "button";
    this.#pick.tabIndex = -1;
    return this.#pick;
  }

  /**
   * @param {Entry} entry
   * @param {Entry | null} before of the same player
   */
  #score(entry, before) {
    const { options, columns, shown, numbers } = this.#manner;
    const values = [entry.score].flat();
    this.scored ||= before !== null && String(before.score) !== String(entry.score);
    this.texts = shown.map((column, index) => {
      const value = values[column];
      const style = styleOf(options, index);
      const text = value === undefined ? "" : numbers.score(value, columns[column].decimals, style);
      write(this.#values[index], text);
      if (style === "compact" && value !== undefined) this.#values[index].title = numbers.score(value, columns[column].decimals);
      return text;
    });
  }
}

/**
 * @param {string} role
 * @param {string} name
 * @param {string} [parts] what a page may style
 */
export function part(role, name, parts = name) {
  const element = cell(role, name);
  element.setAttribute("part", parts);
  return element;
}

/**
 * @param {string} name
 * @param {HTMLElement} content
 * @param {string} [classes]
 */
function holding(name, content, classes = name) {
  const element = part("cell", classes, name);
  element.append(content);
  return element;
}
