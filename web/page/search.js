/**
 * The field in which a player is found, by name or id, wherever on the board: a combobox as the ARIA pattern has it.
 *
 * @module
 */

import { Face } from "./face.js";
import { displayName, formatCount } from "./format.js";
import { byId, make, write } from "./make.js";
import { matches } from "./matching.js";
import { DEPTH, Roster } from "./roster.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */

const MOST = 8;
const PAUSE_MS = 180;

/**
 * @typedef {object} Wishes
 * @property {() => {board: string, entries: readonly Entry[]} | null} onLook the board, and who is in sight
 * @property {(query: string) => void} onQuery
 * @property {(entry: Entry) => void} onChoose
 */

export class Search {
  #field = /** @type {HTMLInputElement} */ (byId("search"));
  #box = byId("search-box");
  #list = byId("found");
  #note = byId("found-note");
  #panel = byId("found-panel");
  #roster = new Roster();
  #wishes;
  /** @type {Entry[]} */
  #found = [];
  /** Who was found beyond those in sight, the last time. @type {{board: string, query: string, entries: Entry[]} | null} */
  #far = null;
  #at = -1;
  #turn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.#wishes = wishes;
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    this.#field.addEventListener("focus", () => this.#field.value.trim() !== "" && this.#look());
    this.#box.addEventListener("focusout", ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node && this.#box.contains(relatedTarget))) this.#close();
    });
    // The field keeps the focus: what is chosen is chosen on release.
    this.#panel.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#list.addEventListener("click", ({ target }) => {
      const option = target instanceof Element ? target.closest("[role=option]") : null;
      if (option !== null) this.#choose([...this.#list.children].indexOf(option));
    });
  }

  /** Put the cursor there. */
  focus() {
    this.#field.focus();
    this.#field.select();
  }

  /** @param {string} query as the address has it */
  show(query) {
    if (query === this.#field.value.trim()) return;
    this.#field.value = query;
    if (query === "") this.#close();
    else this.#look();
  }

  /** Who is in sight has changed, or has come only now. */
  refresh() {
    if (!this.#panel.hidden || (this.#field.value.trim() !== "" && document.activeElement === this.#field)) this.#lookSoon();
  }

  /** The board has come that the address searched. */
  begin() {
    if (this.#field.value.trim() !== "" && this.#panel.hidden) this.#look();
  }

  #typed() {
    this.#wishes.onQuery(this.#field.value.trim());
    this.#look();
  }

  #lookSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), 1000);
  }

  async #look() {
    clearTimeout(this.#timer);
    const query = this.#field.value.trim();
    const sight = this.#wishes.onLook();
    this.#turn += 1;
    const turn = this.#turn;
    if (query === "" || sight === null) return this.#close();
    const near = matches(query, sight.entries, MOST);
    const before = this.#far?.board === sight.board && this.#far.query === query ? this.#far.entries : null;
    // What was found a moment ago stays until it is known anew: nobody aims at a list that comes and goes.
    this.#tell(near, before, before !== null || near.length === MOST ? "" : "Looking further down…");
    if (near.length === MOST) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (turn !== this.#turn) return;
    const far = await this.#beyond(sight.board, query).catch(() => null);
    if (far !== null) this.#far = { board: sight.board, query, entries: far };
    if (turn !== this.#turn) return;
    const nobody = `Nobody of that name among the best ${formatCount(DEPTH)}. An exact id is found anywhere.`;
    if (far === null) this.#tell(near, before, "The service does not answer just now.");
    else this.#tell(near, far, near.length + far.length > 0 ? "" : nobody);
  }

  /**
   * @param {Entry[]} near
   * @param {Entry[] | null} far null: not known
   * @param {string} note
   */
  #tell(near, far, note) {
    const seen = new Set(near.map(({ player }) => player));
    this.#show([...near, ...(far ?? []).filter(({ player }) => !seen.has(player))].slice(0, MOST), note);
  }

  /**
   * @param {string} board
   * @param {string} query
   */
  async #beyond(board, query) {
    const [exact, entries] = await Promise.all([this.#roster.find(board, query), this.#roster.read(board)]);
    const found = matches(query, entries, MOST);
    return exact === null ? found : [exact, ...found.filter(({ player }) => player !== exact.player)];
  }

  /**
   * @param {Entry[]} found
   * @param {string} note
   */
  #show(found, note) {
    const held = this.#found[this.#at]?.player;
    this.#found = found;
    this.#list.replaceChildren(...found.map(option));
    this.#panel.hidden = false;
    this.#field.setAttribute("aria-expanded", String(found.length > 0));
    this.#list.hidden = found.length === 0;
    this.#note.hidden = note === "";
    write(this.#note, note);
    const again = found.findIndex(({ player }) => player === held);
    this.#mark(again === -1 && found.length > 0 ? 0 : again);
  }

  #close() {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#panel.hidden = true;
    this.#field.setAttribute("aria-expanded", "false");
    this.#field.removeAttribute("aria-activedescendant");
  }

  /** @param {number} at */
  #mark(at) {
    this.#list.children[this.#at]?.setAttribute("aria-selected", "false");
    for (const other of this.#list.querySelectorAll("[aria-selected=true]")) other.setAttribute("aria-selected", "false");
    this.#at = at;
    const option = this.#list.children[at];
    if (option === undefined) return this.#field.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    this.#field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const size = this.#found.length;
    if (event.key === "Escape") {
      if (this.#field.value === "") this.#field.blur();
      this.#field.value = "";
      this.#wishes.onQuery("");
      this.#close();
    } else if (event.key === "Enter" && !this.#panel.hidden && this.#at >= 0) {
      this.#choose(this.#at);
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && size > 0) {
      if (this.#panel.hidden) this.#look();
      else this.#mark((this.#at + (event.key === "ArrowDown" ? 1 : -1) + size) % size);
    } else return;
    event.preventDefault();
  }

  /** @param {number} index */
  #choose(index) {
    const entry = this.#found[index];
    if (entry === undefined) return;
    this.#field.value = "";
    this.#field.blur();
    this.#close();
    this.#wishes.onChoose(entry);
  }
}

/**
 * @param {Entry} entry
 * @param {number} index
 */
function option(entry, index) {
  const face = new Face();
  face.show(entry);
  const name = displayName(entry);
  const id = name === entry.player ? [] : [make("span", "id", entry.player)];
  const rank = make("span", "rank", formatCount(entry.rank));
  const element = make("li", "option", rank, face.element, make("span", "names", make("bdi", "name", name), ...id));
  element.id = `found-${index}`;
  element.setAttribute("role", "option");
  element.setAttribute("aria-selected", "false");
  return element;
}
