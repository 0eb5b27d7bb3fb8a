/**
 * The rows: drawn when told to, at most once a frame, and only written while drawn. The height of a row, which is the
 * same for all, is measured when the list is new or has changed its size.
 *
 * @module
 */

import { arrange } from "../page/arrange.js";
import { keepsUp } from "../page/motion.js";
import { Movements } from "../page/movement.js";
import { Sight } from "../page/sight.js";
import { widthsOf } from "../page/widths.js";
import { Line } from "./line.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./line.js").Manner} Manner */

/** Longer ways than this many rows are cut. */
const FARTHEST = 12;
/** Rows beyond the edge of what can be seen that move all the same. */
const BEYOND = 1;
/** Characters of all scores beside which a name still has room on a phone. */
const ROOMY = 17;
/** Rows that wait for another player, at the most. */
const SPARE = 20;

export class Lines {
  #body;
  #own;
  /** @type {Manner | null} */
  #manner = null;
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {Line[]} */
  #spare = [];
  /** Of the watched player, out of the list's reach. @type {Line | null} */
  #apart = null;
  /** @type {readonly Entry[]} */
  #entries = [];
  #movements = new Movements();
  #height = 0;
  #sight;
  #widths = "";
  /** @type {string | null} */
  #mine = null;
  /** The row that the tab key reaches. @type {string | null} */
  #reached = null;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #resized = new ResizeObserver(() => this.#measure());

  /**
   * @param {HTMLElement} body
   * @param {HTMLElement} own where the watched player's row goes who is not in the list
   * @param {(entry: Entry) => void} onSelect
   */
  constructor(body, own, onSelect) {
    this.#body = body;
    this.#own = own;
    this.#sight = new Sight(body, () => /** @type {HTMLElement} */ (body.closest(".scroller")));
    for (const group of [body, own]) {
      group.addEventListener("click", ({ target }) => {
        const entry = isPick(target) ? this.#lineAt(target)?.entry : null;
        if (entry) onSelect(entry);
      });
    }
    body.addEventListener("keydown", (event) => this.#walk(event));
    body.addEventListener("focusin", ({ target }) => this.#reach(this.#lineAt(target)?.entry?.player ?? null));
  }

  /** Be told of changes of size, or no longer. @param {boolean} watching */
  watch(watching) {
    if (watching) this.#resized.observe(this.#body);
    else this.#resized.disconnect();
    this.#sight.watch(watching);
  }

  /** @param {Manner} manner start over with it */
  dress(manner) {
    this.#manner = manner;
    this.clear();
    this.#spare = [];
  }

  clear() {
    for (const line of this.#lines.values()) this.#putAway(line);
    this.#lines.clear();
    this.#apart?.element.remove();
    this.#apart = null;
    this.#entries = [];
    this.#movements.clear();
    this.#widths = "";
    this.#reached = null;
  }

  /**
   * @param {readonly Entry[]} entries
   * @param {Entry | null} apart the watched player where not among them
   * @param {string | null} mine the watched player
   * @param {boolean} me who is the one who looks
   * @param {number} now milliseconds
   */
  show(entries, apart, mine, me, now) {
    const fresh = this.#lines.size === 0;
    this.#entries = entries;
    this.#mine = mine;
    this.#movements.observe(entries, now);
    this.#removeThoseWhoLeft();
    const lines = entries.map((entry) => this.#lineOf(entry, fresh));
    arrange(this.#body, lines.map(({ element }) => element));
    for (const line of lines) line.mark(line.entry?.player === mine, me && line.entry?.player === mine);
    this.#showApart(apart, me);
    this.#fit(lines);
    if (this.#reached === null || !this.#lines.has(this.#reached)) this.#reach(entries[0]?.player ?? null);
    if (fresh) this.#measure();
    this.showMovements(now);
    this.#animate(lines, fresh, now);
  }

  /**
   * After everything was written: to begin a glow has the page styled, once for all where nothing is written in between.
   * Where the machine does not keep up, what is under way ends, too.
   *
   * @param {Line[]} lines
   * @param {boolean} fresh the whole list is new
   * @param {number} now
   */
  #animate(lines, fresh, now) {
    const lively = keepsUp(now);
    const glowing = this.#apart === null || this.#own.hidden ? lines : [...lines, this.#apart];
    glowing.forEach((line, index) => {
      // What glows or glides is a layer of its own, and so is all that lies over it.
      if (line.scored && lively && (line === this.#apart || this.#isSeen(index, index))) line.glow();
      else if (line.scored || !lively) line.dim();
    });
    lines.forEach((line, index) => {
      if (!lively) line.stop();
      else if (!fresh && line.index !== index) this.#move(line, index, now);
      line.index = index;
    });
    for (const line of glowing) line.scored = false;
  }

  /** Arrows fade when their moment is over, also on a board that stands still. @param {number} now milliseconds */
  showMovements(now) {
    for (const [player, line] of this.#lines) line.showMovement(this.#movements.of(player, now));
  }

  #removeThoseWhoLeft() {
    const present = new Set(this.#entries.map(({ player }) => player));
    for (const [player, line] of this.#lines) {
      if (present.has(player)) continue;
      this.#lines.delete(player);
      this.#putAway(line);
    }
  }

  /** @param {Line} line */
  #putAway(line) {
    line.element.remove();
    line.rest();
    if (this.#spare.length < SPARE) this.#spare.push(line);
  }

  /**
   * @param {Entry} entry
   * @param {boolean} fresh the whole list is new
   */
  #lineOf(entry, fresh) {
    let line = this.#lines.get(entry.player);
    if (line === undefined) {
      line = this.#spare.pop() ?? new Line(/** @type {Manner} */ (this.#manner));
      this.#lines.set(entry.player, line);
      line.reach(false);
      line.show(entry);
      line.scored = !fresh;
    } else line.show(entry);
    return line;
  }

  /** See which rows can be seen, before anything is written. @param {number} now milliseconds */
  look(now) {
    if (this.#height > 0) this.#sight.look(now, BEYOND * this.#height);
  }

  /**
   * @param {Line} line
   * @param {number} index where it now belongs
   * @param {number} now
   */
  #move(line, index, now) {
    const isNew = line.index === -1;
    const from = isNew ? index + 0.5 : line.index;
    const drawn = from + (this.#height === 0 ? 0 : line.offset(now) / this.#height);
    // A hundred rows that give way are a hundred animations; most of them nobody sees.
    if (!this.#isSeen(drawn, index)) return line.stop();
    if (isNew) line.fadeIn();
    if (this.#calm.matches || this.#height === 0) return;
    line.glide((from - index) * this.#height, this.#height * FARTHEST, now);
  }

  /**
   * @param {Entry | null} entry
   * @param {boolean} me
   */
  #showApart(entry, me) {
    this.#own.hidden = entry === null;
    if (entry === null) return;
    this.#apart ??= new Line(/** @type {Manner} */ (this.#manner));
    this.#apart.show(entry);
    this.#apart.mark(true, me);
    this.#apart.reach(true);
    if (this.#apart.element.parentNode !== this.#own) this.#own.append(this.#apart.element);
  }

  /**
   * @param {number} from row
   * @param {number} to row; either may be the higher one
   * @returns {boolean} whether anything of the way can be seen
   */
  #isSeen(from, to) {
    return this.#sight.sees(Math.min(from, to) * this.#height, (Math.max(from, to) + 1) * this.#height);
  }

  #measure() {
    const [first] = this.#body.children;
    this.#height = first instanceof HTMLElement ? first.offsetHeight : 0;
    this.#sight.stray();
  }

  /**
   * Columns are as wide as their longest value, said once for all rows: no row's text can make another be laid out again.
   *
   * @param {Line[]} lines
   */
  #fit(lines) {
    if (this.#manner === null) return;
    const { columns, shown, numbers } = this.#manner;
    const all = this.#apart === null || this.#own.hidden ? lines : [...lines, this.#apart];
    const headings = shown.map((index) => columns[index]);
    const widths = widthsOf(headings, all.map(({ texts }) => texts)).map(({ values, heading }) =>
      headings.length > 1 ? Math.max(values, heading) : values,
    );
    const rank = Math.max(2, ...all.map(({ entry }) => numbers.count(entry?.rank ?? 0).length));
    const said = [rank, ...widths].join(" ");
    if (said === this.#widths) return;
    this.#widths = said;
    const { style, classList } = /** @type {HTMLElement} */ (this.#body.parentElement);
    classList.toggle("broad", widths.reduce((sum, width) => sum + width, 0) > ROOMY);
    style.setProperty("--rank-width", `${rank}ch`);
    widths.forEach((width, index) => style.setProperty(`--score-${index}`, `${width.toFixed(2)}ch`));
  }

  // -- by key

  /** @param {EventTarget | null} target */
  #lineAt(target) {
    const element = target instanceof Element ? target.closest(".line") : null;
    if (element === null) return undefined;
    return this.#apart?.element === element ? this.#apart : [...this.#lines.values()].find((line) => line.element === element);
  }

  /** @param {string | null} player */
  #reach(player) {
    if (player === null || player === this.#reached) return;
    this.#lines.get(this.#reached ?? "")?.reach(false);
    this.#reached = player;
    this.#lines.get(player)?.reach(true);
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const at = this.#lineAt(event.target)?.index ?? -1;
    const last = this.#entries.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (to === undefined || at === -1 || !isPick(event.target)) return;
    event.preventDefault();
    this.#lines.get(this.#entries[Math.max(0, Math.min(last, to))].player)?.focus();
  }
}

/** @param {EventTarget | null} target */
const isPick = (target) => target instanceof Element && target.classList.contains("pick");
