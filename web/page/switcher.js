/**
 * The boards to choose from: links that work as links, and by arrow keys.
 *
 * @module
 */

import { byId, make } from "./make.js";
import { folded } from "./matching.js";
import { anchor } from "./sheet.js";

/** @typedef {import("./boards.js").Board} Board */

/** More than this many are easier found by typing. */
const MANY = 10;

export class Switcher {
  #nav = byId("boards");
  #button = byId("boards-button");
  #filter = /** @type {HTMLInputElement} */ (byId("boards-filter"));
  #list = /** @type {HTMLElement} */ (this.#nav.querySelector("ul"));
  #signature = "";
  #link;

  /**
   * @param {(board: string) => void} onChoose
   * @param {(board: string) => string} link
   */
  constructor(onChoose, link) {
    this.#link = link;
    anchor(this.#nav, this.#button);
    this.#filter.addEventListener("input", () => this.#sift());
    this.#nav.addEventListener("toggle", () => this.#opened());
    this.#nav.addEventListener("keydown", (event) => this.#walk(event));
    this.#nav.addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (!link?.dataset.board || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.#nav.hidePopover();
      onChoose(link.dataset.board);
    });
  }

  /**
   * @param {readonly Board[]} boards
   * @param {string | null} current
   */
  show(boards, current) {
    this.#button.hidden = boards.length < 2 && (boards.length === 0 || boards[0].board === current);
    this.#filter.hidden = boards.length <= MANY;
    const signature = JSON.stringify(boards.map(({ board, title }) => [board, title]));
    if (signature !== this.#signature) this.#list.replaceChildren(...boards.map((board) => this.#item(board)));
    this.#signature = signature;
    for (const link of this.#list.querySelectorAll("a")) {
      if (link.dataset.board !== current) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) link.setAttribute("aria-current", "page");
    }
  }

  #opened() {
    if (!this.#nav.matches(":popover-open")) return;
    this.#filter.value = "";
    this.#sift();
    for (const link of this.#list.querySelectorAll("a")) link.href = this.#link(link.dataset.board ?? "");
    const current = /** @type {HTMLElement | null} */ (this.#list.querySelector("[aria-current]"));
    (this.#filter.hidden ? (current ?? this.#list.querySelector("a")) : this.#filter)?.focus();
    current?.scrollIntoView({ block: "nearest" });
  }

  #sift() {
    const wanted = folded(this.#filter.value);
    for (const item of /** @type {Iterable<HTMLElement>} */ (this.#list.children)) {
      item.hidden = !folded(item.textContent ?? "").includes(wanted);
    }
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const links = [...this.#list.querySelectorAll("a")].filter(({ parentElement }) => parentElement?.hidden === false);
    const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
    if (event.key === "Enter" && event.target === this.#filter) links[0]?.click();
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    links[(at + step + links.length) % links.length]?.focus();
    event.preventDefault();
  }

  /** @param {Board} board */
  #item({ board, title }) {
    const link = make("a", "", title || board);
    link.href = this.#link(board);
    link.dataset.board = board;
    link.dir = "auto";
    return make("li", "", link);
  }
}
