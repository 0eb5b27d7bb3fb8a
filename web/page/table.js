/**
 * The live table: takes lists as often as they come, draws at most once a frame, and only writes while it draws:
 * the heights that movement needs are measured when the table is new, or has changed its size.
 *
 * @module
 */

import { arrange } from "./arrange.js";
import { keepsUp } from "./motion.js";
import { Movements } from "./movement.js";
import { Row, cell } from "./row.js";
import { sharesOf } from "./share.js";
import { Sight } from "./sight.js";
import { widthsOf } from "./widths.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./boards.js").Column} Column */
/** @typedef {import("./motion.js").Vector} Vector */

/** The first are cards, side by side. */
const LEADERS = 3;
/** Longer ways than this many rows are cut. */
const FARTHEST = 14;
/** Characters of all score columns beside which a name still has room on a phone. */
const ROOMY = 17;
/** Characters that even a line of their own on a phone cannot hold: then values behind the first may be cut. */
const BOUNDLESS = 36;

export class BoardTable {
  #head;
  #body;
  #table;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Column[]} */
  #columns = [];
  /** @type {readonly Entry[]} */
  #entries = [];
  #movements = new Movements();
  /** Where the cards are, where the first row below them is, and how high a row is. */
  #places = { cards: /** @type {Vector[]} */ ([]), rest: { x: 0, y: 0 }, height: 0 };
  /** @type {ReadonlyMap<string, number>} */
  #slots = new Map();
  /** @type {string | null} */
  #mine = null;
  /** The row that the tab key reaches. @type {string | null} */
  #reached = null;
  #dirty = false;
  #frame = 0;
  #template = "";
  #stamp = "";
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #sight;
  #onDrawn;

  /**
   * @param {HTMLElement} table
   * @param {object} listeners
   * @param {(player: string) => void} listeners.onFollow somebody asks to follow a player, or no longer to
   * @param {(stamp: string) => void} listeners.onDrawn `epoch/version` is on the screen with this frame
   */
  constructor(table, { onFollow, onDrawn }) {
    this.#table = table;
    this.#onDrawn = onDrawn;
    this.#head = /** @type {HTMLElement} */ (table.querySelector(".head .row"));
    this.#body = /** @type {HTMLElement} */ (table.querySelector(".body"));
    this.#sight = new Sight(this.#body, () => /** @type {HTMLElement} */ (table.parentElement));
    this.#sight.watch(true);
    new ResizeObserver(() => this.#measure()).observe(this.#body);
    this.#body.addEventListener("click", ({ target }) => {
      const player = playerAt(target);
      // Whoever marks a name to copy it does not mean to follow.
      if (player !== null && getSelection()?.isCollapsed !== false) onFollow(player);
    });
    this.#body.addEventListener("keydown", (event) => this.#walk(event));
    this.#body.addEventListener("focusin", ({ target }) => this.#reach(playerAt(target)));
    // Arrows fade when their moment is over, also on a board that stands still.
    setInterval(() => this.#schedule(), 1000);
  }

  /**
   * Start over with another board.
   * @param {Column[]} columns
   */
  reset(columns) {
    this.#columns = columns;
    this.#entries = [];
    this.#rows.clear();
    this.#movements.clear();
    this.#template = "";
    this.#body.replaceChildren();
    const headings = columns.map(({ name, direction }) => {
      const heading = cell("columnheader", "score");
      heading.textContent = name;
      heading.title = `${name}: ${direction === "asc" ? "lower" : "higher"} is better`;
      return heading;
    });
    const follow = cell("columnheader", "follow");
    const word = document.createElement("span");
    word.className = "hidden";
    word.textContent = "Follow";
    follow.append(word);
    this.#head.replaceChildren(...[...this.#head.children].slice(0, 3), ...headings, follow);
  }

  /**
   * @param {ReadonlyMap<string, number>} slots of the players who are watched
   * @param {string | null} mine the player who looks, where that is known
   */
  mark(slots, mine) {
    this.#slots = slots;
    this.#mine = mine;
    for (const [player, row] of this.#rows) row.mark(slots.get(player) ?? null, player === mine);
  }

  /**
   * Bring a player into sight.
   *
   * @param {string} player
   * @returns {boolean} false: the player is not in the table
   */
  jump(player) {
    const row = this.#rows.get(player);
    if (row === undefined) return false;
    row.element.scrollIntoView({ block: "center", behavior: this.#calm.matches ? "auto" : "smooth" });
    row.flash();
    return true;
  }

  /** @param {import("../client/index.d.ts").Board} state */
  show({ entries, epoch, version }) {
    this.#entries = entries;
    this.#stamp = `${epoch}/${version}`;
    this.#dirty = true;
    this.#schedule();
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {number} now */
  #draw(now) {
    this.#frame = 0;
    const dirty = this.#dirty;
    this.#dirty = false;
    if (dirty) this.#update(now);
    else this.#showMovements(now);
    if (dirty) this.#onDrawn(this.#stamp);
  }

  /** @param {number} now */
  #showMovements(now) {
    for (const [player, row] of this.#rows) row.showMovement(this.#movements.of(player, now));
  }

  /** @param {number} now */
  #update(now) {
    const fresh = this.#rows.size === 0;
    const before = this.#body.firstElementChild;
    if (!fresh) this.#sight.look(now, this.#places.height);
    this.#movements.observe(this.#entries, now);
    this.#removeThoseWhoLeft();
    const rows = this.#entries.map((entry) => this.#rowOf(entry, fresh));
    arrange(this.#body, rows.map((row) => row.element));
    rows.forEach((row, index) => row.stand(index, index < LEADERS));
    if (this.#reached === null || !this.#rows.has(this.#reached)) this.#reach(this.#entries[0]?.player ?? null);
    this.#table.dataset.version = this.#stamp;
    this.#table.classList.toggle("few", rows.length <= LEADERS);
    this.#showShares(rows);
    this.#fitColumns(rows);
    this.#showMovements(now);
    if (fresh || rows.length <= LEADERS + 1) this.#measure();
    this.#animate(rows, fresh, now);
    if (!fresh && rows[0] !== undefined && rows[0].element !== before) this.#greet(rows[0], now);
  }

  /**
   * After everything was written: to begin a glow has the page styled, once for all where nothing is written in between.
   * Where the machine does not keep up, what is under way ends, too.
   *
   * @param {Row[]} rows
   * @param {boolean} fresh the whole table is new
   * @param {number} now
   */
  #animate(rows, fresh, now) {
    const lively = keepsUp(now);
    rows.forEach((row, index) => {
      if (row.scored && lively && this.#isSeen(index, 0)) row.glow();
      else if (row.scored || !lively) row.dim();
    });
    rows.forEach((row, index) => {
      if (!lively) row.stop();
      else if (!fresh && row.index !== index) this.#move(row, index, now);
      row.index = index;
      row.scored = false;
    });
  }

  /**
   * @param {Row} row that has come to lead
   * @param {number} now
   */
  #greet(row, now) {
    if (keepsUp(now) && !this.#calm.matches && this.#isSeen(0, 0)) row.gleam();
  }

  #removeThoseWhoLeft() {
    const present = new Set(this.#entries.map(({ player }) => player));
    for (const [player, row] of this.#rows) {
      if (present.has(player)) continue;
      this.#rows.delete(player);
      row.element.remove();
    }
  }

  /**
   * @param {Entry} entry
   * @param {boolean} fresh the whole table is new
   */
  #rowOf(entry, fresh) {
    const known = this.#rows.get(entry.player);
    if (known !== undefined) {
      known.show(entry);
      return known;
    }
    const row = new Row(this.#columns);
    row.show(entry);
    row.mark(this.#slots.get(entry.player) ?? null, entry.player === this.#mine);
    this.#rows.set(entry.player, row);
    row.scored = !fresh;
    return row;
  }

  /**
   * @param {Row} row
   * @param {number} index where it now belongs
   * @param {number} now
   */
  #move(row, index, now) {
    const { height } = this.#places;
    const isNew = row.index === -1;
    const to = this.#place(index);
    const from = isNew ? { x: to.x, y: to.y + height / 2 } : this.#place(row.index);
    const way = { x: from.x - to.x, y: from.y - to.y };
    // A hundred rows that give way are a hundred layers; most of them nobody sees.
    if (!this.#isSeen(index, way.y + row.offset(now).y)) return row.stop();
    if (isNew) row.fadeIn();
    if (!this.#calm.matches) row.glide(way, height * FARTHEST, now);
  }

  /**
   * @param {number} index of a row
   * @param {number} way pixels, down from there, to where it comes from
   * @returns {boolean} whether anything of the way can be seen
   */
  #isSeen(index, way) {
    const { y } = this.#place(index);
    const height = this.#places.cards[index] === undefined ? this.#places.height : this.#places.rest.y;
    return this.#sight.sees(y + Math.min(way, 0), y + Math.max(way, 0) + height);
  }

  /**
   * @param {number} index
   * @returns {Vector}
   */
  #place(index) {
    const { cards, rest, height } = this.#places;
    return cards[index] ?? { x: rest.x, y: rest.y + (index - LEADERS) * height };
  }

  #measure() {
    const rows = /** @type {HTMLElement[]} */ ([...this.#body.children].slice(0, LEADERS + 1));
    const places = rows.map(({ offsetLeft, offsetTop }) => ({ x: offsetLeft, y: offsetTop }));
    const last = rows.at(-1);
    if (last === undefined) return;
    const below = { x: places[0].x, y: last.offsetTop + last.offsetHeight };
    this.#places = { cards: places.slice(0, LEADERS), rest: places[LEADERS] ?? below, height: last.offsetHeight };
    this.#sight.stray();
  }

  /** @param {string | null} player */
  #reach(player) {
    if (player === null || player === this.#reached) return;
    this.#rows.get(this.#reached ?? "")?.reach(false);
    this.#reached = player;
    this.#rows.get(player)?.reach(true);
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const at = this.#entries.findIndex(({ player }) => player === playerAt(event.target));
    const last = this.#entries.length - 1;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last, PageDown: at + 10, PageUp: at - 10 }[event.key];
    if (to === undefined || at === -1) return;
    event.preventDefault();
    const row = this.#rows.get(this.#entries[Math.max(0, Math.min(last, to))].player);
    row?.focus();
    row?.element.scrollIntoView({ block: "nearest" });
  }

  /** @param {Row[]} rows */
  #showShares(rows) {
    const shares = sharesOf(this.#entries, this.#columns[0]?.direction);
    rows.forEach((row, index) => row.showShare(shares[index]));
  }

  /**
   * The score columns are as wide as their longest value, said once for all rows: no row's text can make another
   * row be laid out again.
   *
   * @param {Row[]} rows
   */
  #fitColumns(rows) {
    const widths = widthsOf(this.#columns, rows.map(({ texts }) => texts));
    const total = widths.reduce((sum, { values, heading }) => sum + Math.max(values, heading), 0);
    const template = widths.map((width, column) => track(width, column > 0 && total > BOUNDLESS)).join(" ");
    if (template === this.#template) return;
    this.#template = template;
    this.#table.style.setProperty("--scores", template);
    this.#table.classList.toggle("broad", total > ROOMY);
  }
}

/**
 * @param {EventTarget | null} target
 * @returns {string | null} of the row that it is in
 */
const playerAt = (target) =>
  (target instanceof Element ? /** @type {HTMLElement | null} */ (target.closest(".row")) : null)?.dataset.player ?? null;

/**
 * @param {import("./widths.js").Width} width
 * @param {boolean} yields values, too, may be cut
 * @returns {string} a grid track: where room is short the heading gives way, not the values
 */
function track({ values, heading }, yields) {
  const least = yields ? 0 : values;
  return `minmax(${least.toFixed(2)}ch, ${Math.max(values, heading).toFixed(2)}ch)`;
}
