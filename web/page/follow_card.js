/**
 * The players who are watched, and where one of them stands: who is just ahead, who just behind, and what it takes to pass.
 *
 * @module
 */

import { Chips } from "./chips.js";
import { Face } from "./face.js";
import { displayName, formatCount, formatScore, ordinal } from "./format.js";
import { byId, make, write } from "./make.js";
import { rivals, topShare } from "./rivals.js";

/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("./boards.js").Column} Column */
/** @typedef {import("./watchlist.js").Followed} Followed */

/**
 * @typedef {object} Wishes what somebody does with the card
 * @property {(player: string) => void} onFocus
 * @property {(player: string) => void} onDrop
 * @property {(player: string) => void} onMine
 */

class Neighbour {
  element = make("li", "neighbour");
  #face = new Face();
  #rank = make("span", "rank");
  #name = make("bdi", "name");
  #score = make("span", "score");
  #takes = make("p", "takes");

  /** @param {string} kind */
  constructor(kind) {
    this.element.classList.add(kind);
    this.element.append(this.#rank, this.#face.element, this.#name, this.#score, this.#takes);
  }

  /**
   * @param {Entry | null} entry
   * @param {readonly Column[]} columns
   * @param {(string | Node)[]} takes
   */
  show(entry, columns, takes) {
    this.element.hidden = entry === null;
    if (entry === null) return;
    this.#face.show(entry);
    write(this.#name, displayName(entry));
    this.#name.title = displayName(entry);
    write(this.#rank, formatCount(entry.rank));
    write(this.#score, scoreText(entry, columns));
    this.#takes.hidden = takes.length === 0;
    const text = takes.map((one) => (typeof one === "string" ? one : one.textContent)).join("");
    if (this.#takes.textContent !== text) this.#takes.replaceChildren(...takes);
  }
}

export class FollowCard {
  #chips;
  #empty = byId("nobody");
  #card = byId("standing");
  #face = new Face();
  #name = byId("standing-name");
  #rank = byId("standing-rank");
  #of = byId("standing-of");
  #mine = byId("standing-mine");
  #note = byId("standing-note");
  #ahead = new Neighbour("ahead");
  #own = new Neighbour("own");
  #behind = new Neighbour("behind");
  #focus = "";

  /** @param {Wishes} wishes */
  constructor(wishes) {
    this.#chips = new Chips(byId("chips"), wishes);
    byId("near").append(this.#ahead.element, this.#own.element, this.#behind.element);
    byId("standing-face").append(this.#face.element);
    this.#mine.addEventListener("click", () => wishes.onMine(this.#focus));
  }

  /**
   * @param {readonly Followed[]} all
   * @param {string | null} focus
   * @param {string | null} mine
   * @param {readonly Column[]} columns
   * @param {(player: string) => string} nameOf
   */
  show(all, focus, mine, columns, nameOf) {
    this.#empty.hidden = all.length > 0;
    this.#card.hidden = all.length === 0;
    this.#chips.show(all, focus, nameOf);
    const followed = all.find(({ player }) => player === focus);
    if (followed === undefined) return;
    this.#focus = followed.player;
    this.#card.dataset.slot = String(followed.slot);
    this.#card.classList.toggle("behind", !followed.fresh);
    this.#mine.setAttribute("aria-pressed", String(mine === followed.player));
    write(this.#name, nameOf(followed.player));
    this.#face.show(followed.entry ?? { player: followed.player });
    this.#showPlace(followed, columns);
  }

  /**
   * @param {Followed} followed
   * @param {readonly Column[]} columns
   */
  #showPlace({ entry, stretch }, columns) {
    this.#note.hidden = entry !== null || stretch === null;
    byId("near").hidden = entry === null;
    write(this.#rank, entry === null ? "–" : ordinal(entry.rank));
    if (entry === null || stretch === null) {
      write(this.#of, "");
      return;
    }
    const near = rivals(entry, stretch.entries, columns);
    const share = topShare(entry.rank, stretch.total);
    write(this.#of, [`of ${formatCount(stretch.total)}`, share].filter(Boolean).join(" · "));
    const leads = near.ahead === null && entry.rank === 1;
    this.#ahead.show(near.ahead, columns, [make("b", "", near.toPass), " to pass"]);
    this.#own.show(entry, columns, leads ? ["In the lead"] : near.level === "" ? [] : [near.level]);
    this.#behind.show(near.behind, columns, [make("b", "", near.toBePassed), " and they pass"]);
  }
}

/**
 * @param {Entry} entry
 * @param {readonly Column[]} columns
 */
const scoreText = ({ score }, columns) =>
  [score].flat().map((value, index) => formatScore(/** @type {any} */ (value), columns[index]?.decimals)).join(" · ");
