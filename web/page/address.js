/**
 * What the page shows, as its address says it: every state has a link.
 *
 * @module
 */

/** @typedef {"system" | "light" | "dark"} Theme */
/** @typedef {"board" | "race" | "now"} View which part a phone shows; all are in sight where there is room */

/**
 * @typedef {object} Place
 * @property {string | null} board null: the first there is
 * @property {readonly string[]} watch players, in the order in which they were chosen
 * @property {string | null} focus the one of them who is told in full; null: the last
 * @property {string} query what is searched for
 * @property {Theme} theme
 * @property {View} view
 * @property {boolean} wall nothing but the board, for a screen that nobody touches
 */

/** As many as a plot can tell apart. */
export const MOST_WATCHED = 6;
const LONGEST_QUERY = 80;
const ID = /^[A-Za-z0-9_.-]{1,64}$/;

/** @type {Place} */
const START = { board: null, watch: [], focus: null, query: "", theme: "system", view: "board", wall: false };

/**
 * @param {string} search the part of an address from "?" on; what makes no sense in it is left out
 * @returns {Place}
 */
export function read(search) {
  const told = new URLSearchParams(search);
  const watch = [...new Set((told.get("watch") ?? "").split(",").filter((id) => ID.test(id)))].slice(0, MOST_WATCHED);
  const focus = told.get("focus");
  return {
    board: told.get("board") || null,
    watch,
    focus: focus !== null && watch.includes(focus) ? focus : null,
    query: (told.get("q") ?? "").slice(0, LONGEST_QUERY),
    theme: oneOf(told.get("theme"), /** @type {Theme[]} */ (["light", "dark"])) ?? "system",
    view: oneOf(told.get("view"), /** @type {View[]} */ (["race", "now"])) ?? "board",
    wall: told.has("wall"),
  };
}

/**
 * @param {Place} place
 * @returns {string} "?" and what differs from the start; "/" at the start
 */
export function write({ board, watch, focus, query, theme, view, wall }) {
  const parts = [
    board !== null && `board=${encodeURIComponent(board)}`,
    watch.length > 0 && `watch=${watch.join(",")}`,
    focus !== null && `focus=${focus}`,
    query !== "" && `q=${encodeURIComponent(query)}`,
    theme !== START.theme && `theme=${theme}`,
    view !== START.view && `view=${view}`,
    wall && "wall",
  ].filter(Boolean);
  return parts.length > 0 ? `?${parts.join("&")}` : "/";
}

/**
 * @template {string} T
 * @param {string | null} told
 * @param {T[]} known
 * @returns {T | undefined}
 */
const oneOf = (told, known) => known.find((one) => one === told);

/** The address bar. Listeners are told of each change, whoever made it. */
export class Address {
  place = read(location.search);
  /** @type {((place: Place, before: Place) => void)[]} */
  #listeners = [];

  constructor() {
    addEventListener("popstate", () => this.#become(read(location.search)));
  }

  /** @param {(place: Place, before: Place) => void} listener */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /**
   * @param {Partial<Place>} changes
   * @param {{replace?: boolean}} [how] replace: no new entry for the way back
   */
  go(changes, { replace = false } = {}) {
    const next = { ...this.place, ...changes };
    const link = write(next);
    if (link !== write(this.place)) history[replace ? "replaceState" : "pushState"](null, "", link);
    this.#become(next);
  }

  /** @param {Partial<Place>} changes */
  link(changes) {
    return write({ ...this.place, ...changes });
  }

  /** @param {Place} place */
  #become(place) {
    const before = this.place;
    this.place = place;
    for (const listener of this.#listeners) listener(place, before);
  }
}
