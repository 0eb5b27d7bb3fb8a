/**
 * The widget's parts around its rows: heading, light, and what stands in the rows' place.
 *
 * @module
 */

import { make, write } from "../page/make.js";
import { keepsUp } from "../page/motion.js";
import { cell } from "../page/row.js";
import { showsRows } from "./condition.js";
import { part } from "./line.js";
import { hasColumn } from "./options.js";
import { sheet } from "./sheet.js";
import { fill, lightOf, noticeOf } from "./words.js";

/** @typedef {import("./condition.js").Kind} Kind */
/** @typedef {import("./line.js").Manner} Manner */

/** Rows that are hinted at while loading. */
const GHOSTS = 5;

export class Frame {
  root;
  frame = named(make("div", "frame"), "frame");
  body = cell("rowgroup", "body");
  own = cell("rowgroup", "own");
  /** Read out by a screen reader. */
  voice = make("p", "hidden");
  // What is written to the left stands where the page begins, whichever side that is.
  #title = make("bdi");
  #count = make("bdi");
  #dot = make("span", "dot");
  #light = make("bdi", "text");
  #status = named(make("span", "status", this.#dot, this.#light), "status");
  #head = cell("rowgroup", "head");
  #table = cell("table", "table");
  #scroller = named(make("div", "scroller", this.#table), "list");
  #ghosts = make("div", "ghosts");
  #notice = named(make("div", "notice", make("p"), make("p")), "notice");
  #calm = matchMedia("(prefers-reduced-motion: reduce)");
  /** @type {Animation | null} */
  #beat = null;
  #sized = new ResizeObserver(() => this.#reachScroller());

  /** @param {HTMLElement} host */
  constructor(host) {
    this.root = host.attachShadow({ mode: "open" });
    this.root.adoptedStyleSheets = [sheet];
    const heading = document.createElement("slot");
    heading.name = "heading";
    heading.append(named(make("div", "title", this.#title), "title"));
    this.#title.id = "title";
    this.#table.setAttribute("aria-labelledby", "title");
    this.#table.append(this.#head, this.body, this.own);
    this.#ghosts.append(...Array.from({ length: GHOSTS }, () => make("span")));
    this.#ghosts.setAttribute("aria-hidden", "true");
    for (const line of this.#notice.children) line.setAttribute("dir", "auto");
    this.voice.setAttribute("aria-live", "polite");
    this.own.hidden = true;
    const header = named(make("header", "", make("div", "what", heading, named(make("div", "count", this.#count), "count")), this.#status), "header");
    this.frame.append(header, this.#scroller, this.#ghosts, this.#notice);
    this.root.append(this.frame, this.voice);
  }

  /** @param {boolean} watching be told of changes of size, or no longer */
  watch(watching) {
    if (watching) this.#sized.observe(this.#scroller);
    else this.#sized.disconnect();
  }

  /** @param {import("./options.js").Options} options */
  wear({ theme, density, heading }) {
    Object.assign(this.frame.dataset, { theme, density });
    this.frame.classList.toggle("bare", heading !== null && heading.trim() === "");
  }

  /** @param {Manner} manner what the columns are called */
  dress({ options, columns, shown, words }) {
    const line = cell("row", "line");
    if (hasColumn(options, "rank")) line.append(heading("rank", words.rank, true));
    line.append(heading("player", words.player, false));
    if (hasColumn(options, "move")) line.append(heading("move", words.move, true));
    shown.forEach((column, index) => line.append(heading(`score score-${index}`, columns[column].name, false)));
    this.#head.replaceChildren(line);
    // A single score needs no name to be understood.
    this.#head.classList.toggle("hidden", shown.length < 2);
  }

  /**
   * @param {object} now
   * @param {Kind} now.kind
   * @param {string | null} now.reason
   * @param {import("../client/index.d.ts").Board | null} now.state
   * @param {import("./options.js").Options} now.options
   * @param {string} now.title
   * @param {Manner} now.manner
   */
  show({ kind, reason, state, options, title, manner: { words, numbers } }) {
    if (this.frame.dataset.kind !== kind) this.frame.dataset.kind = kind;
    this.frame.ariaBusy = kind === "loading" ? "true" : null;
    write(this.#title, options.heading?.trim() || title);
    const total = state === null ? "" : numbers.count(state.total);
    write(this.#count, state === null ? "" : state.total === 1 ? words.onePlayer : fill(words.players, { total }));
    const light = lightOf(kind, navigator.onLine);
    this.#status.hidden = light === null;
    // To write a time takes long, and is seldom wanted.
    const time = light === "paused" ? clock(state?.asOf ?? 0, options.locale) : "";
    write(this.#light, light === null ? "" : fill(words[light], { time }));
    this.#scroller.hidden = !showsRows(kind);
    this.#ghosts.hidden = kind !== "loading";
    const told = noticeOf(kind, reason);
    this.#notice.hidden = told.length === 0;
    const values = { board: options.board ?? "", player: options.player ?? "" };
    [...this.#notice.children].forEach((line, index) => write(line, told[index] ? fill(words[told[index]], values) : ""));
    this.#scroller.ariaLabel = this.#title.textContent;
    if (state !== null) this.frame.dataset.version = `${state.epoch}/${state.version}`;
  }

  /** The board moved. Beats do not pile up: a busy board has a steady pulse. */
  pulse() {
    if (this.#calm.matches || this.#beat?.playState === "running" || !keepsUp(performance.now())) return;
    this.#beat = this.#dot.animate(
      [
        { transform: "scale(1)", opacity: 0.5 },
        { transform: "scale(2.6)", opacity: 0 },
      ],
      { duration: 900, easing: "ease-out", pseudoElement: "::after" },
    );
  }

  /** What scrolls must be within a keyboard's reach, what does not need not. */
  #reachScroller() {
    const scrolls = this.#scroller.scrollHeight > this.#scroller.clientHeight + 1;
    if (scrolls) this.#scroller.tabIndex = 0;
    else this.#scroller.removeAttribute("tabindex");
    this.#scroller.role = scrolls ? "region" : null;
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {boolean} unseen
 */
function heading(name, text, unseen) {
  const element = cell("columnheader", name);
  element.append(make("span", unseen ? "hidden" : "label", text));
  return element;
}

/**
 * @template {HTMLElement} T
 * @param {T} element
 * @param {string} name by which a page styles it
 * @returns {T}
 */
function named(element, name) {
  element.setAttribute("part", name);
  return element;
}

/**
 * @param {number} moment Unix seconds
 * @param {string | undefined} locale
 */
const clock = (moment, locale) => new Date(moment * 1000).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });
