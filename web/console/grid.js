/**
 * A table of things that are told anew every few seconds: a row stays the same element for as long as its thing is there, so
 * that what is marked, hovered or focused stays so.
 *
 * @module
 */

import { make } from "../page/make.js";

/**
 * @template T
 * @typedef {object} Column
 * @property {string} title
 * @property {string} [kind] a class of its cells: `number`, `main`, `acts`
 * @property {string} [about] said of the heading
 * @property {(cell: HTMLElement, row: T) => void} fill writes what changed
 */

/** @template T */
export class Grid {
  #columns;
  #key;
  #empty;
  #table;
  #body = make("tbody");
  /** @type {Map<string, {element: HTMLElement, cells: HTMLElement[]}>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} place
   * @param {string} labelledBy id of what names it
   * @param {Column<T>[]} columns the first heads its row
   * @param {(row: T) => string} key
   * @param {string} empty what is said where there is nothing
   */
  constructor(place, labelledBy, columns, key, empty) {
    this.#columns = columns;
    this.#key = key;
    this.#empty = make("p", "empty", empty);
    const headings = columns.map(({ title, kind = "", about }) => {
      const heading = make("th", kind, kind === "acts" ? make("span", "hidden", title) : title);
      heading.scope = "col";
      if (about !== undefined) heading.title = about;
      return heading;
    });
    this.#table = make("table", "", make("thead", "", make("tr", "", ...headings)), this.#body);
    this.#table.setAttribute("aria-labelledby", labelledBy);
    this.#table.hidden = this.#empty.hidden = true;
    place.replaceChildren(this.#table, this.#empty);
  }

  /** @param {string} text */
  set empty(text) {
    this.#empty.textContent = text;
  }

  /** @param {readonly T[]} rows */
  show(rows) {
    this.#table.hidden = rows.length === 0;
    this.#empty.hidden = rows.length > 0;
    const keys = new Set(rows.map(this.#key));
    for (const [key, { element }] of this.#rows) {
      if (keys.has(key)) continue;
      this.#rows.delete(key);
      element.remove();
    }
    rows.forEach((row, index) => {
      const { element, cells } = this.#rowOf(this.#key(row));
      this.#columns.forEach(({ fill }, column) => fill(cells[column], row));
      if (this.#body.children[index] !== element) this.#body.insertBefore(element, this.#body.children[index] ?? null);
    });
  }

  /** Nothing is known yet. */
  clear() {
    this.#rows.clear();
    this.#body.replaceChildren();
    this.#table.hidden = this.#empty.hidden = true;
  }

  /** @param {string} key */
  #rowOf(key) {
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const cells = this.#columns.map(({ kind = "" }, index) => {
      const cell = make(index === 0 ? "th" : "td", kind);
      if (index === 0) cell.scope = "row";
      return cell;
    });
    const row = { element: make("tr", "", ...cells), cells };
    row.element.dataset.key = key;
    this.#rows.set(key, row);
    return row;
  }
}

/**
 * A button of a row, made once.
 *
 * @param {HTMLElement} cell
 * @param {string} text
 * @param {string} label for whoever does not see the row
 * @param {() => void} act
 * @param {string} [name]
 */
export function actIn(cell, text, label, act, name = "plain") {
  const button = [...cell.querySelectorAll("button")].find((one) => one.textContent === text) ?? make("button", name, text);
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.onclick = act;
  if (button.parentElement !== cell) cell.append(button);
}
