/**
 * The players who are followed, as buttons: one to be told of in full, each to be let go.
 *
 * @module
 */

import { formatCount } from "./format.js";
import { make, write } from "./make.js";

/** @typedef {import("./watchlist.js").Followed} Followed */

/**
 * @typedef {object} Wishes
 * @property {(player: string) => void} onFocus
 * @property {(player: string) => void} onDrop
 */

class Chip {
  #name = make("bdi", "name");
  #rank = make("span", "rank");
  #choose = make("button", "choose", make("span", "disc"), this.#name, this.#rank);
  #drop = make("button", "drop");
  element = make("li", "chip", this.#choose, this.#drop);

  /**
   * @param {string} player
   * @param {Wishes} wishes
   */
  constructor(player, { onFocus, onDrop }) {
    this.#choose.type = this.#drop.type = "button";
    this.#choose.addEventListener("click", () => onFocus(player));
    this.#drop.addEventListener("click", () => onDrop(player));
  }

  /**
   * @param {Followed} followed
   * @param {string} name
   * @param {boolean} chosen
   */
  show({ slot, entry }, name, chosen) {
    this.element.dataset.slot = String(slot);
    write(this.#rank, entry === null ? "–" : formatCount(entry.rank));
    this.#choose.setAttribute("aria-pressed", String(chosen));
    if (this.#name.textContent === name) return;
    this.#name.textContent = name;
    this.#drop.setAttribute("aria-label", `Stop following ${name}`);
  }
}

export class Chips {
  #list;
  #wishes;
  /** @type {Map<string, Chip>} */
  #chips = new Map();

  /**
   * @param {HTMLElement} list
   * @param {Wishes} wishes
   */
  constructor(list, wishes) {
    this.#list = list;
    this.#wishes = wishes;
  }

  /**
   * @param {readonly Followed[]} all
   * @param {string | null} focus
   * @param {(player: string) => string} nameOf
   */
  show(all, focus, nameOf) {
    this.#list.hidden = all.length === 0;
    const players = new Set(all.map(({ player }) => player));
    for (const [player, { element }] of this.#chips) {
      if (players.has(player)) continue;
      this.#chips.delete(player);
      element.remove();
    }
    for (const followed of all) {
      const { player } = followed;
      const chip = this.#chips.get(player) ?? new Chip(player, this.#wishes);
      if (!this.#chips.has(player)) this.#list.append(chip.element);
      this.#chips.set(player, chip);
      chip.show(followed, nameOf(player), player === focus);
    }
  }
}
