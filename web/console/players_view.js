/**
 * Players of a board: found by how an id or a name begins, and taken off.
 *
 * @module
 */

import { Face } from "../page/face.js";
import { countryName, displayName, formatCount, formatScore } from "../page/format.js";
import { byId, make, write } from "../page/make.js";
import { Grid, actIn } from "./grid.js";

/** @typedef {import("./documents.d.ts").BoardDocument} BoardDocument */
/** @typedef {import("../client/index.d.ts").Entry} Entry */

/** So long nobody types on. */
const PAUSE_MS = 200;

export class PlayersView {
  #api;
  #sure;
  #tell;
  /** @type {Grid<Entry>} */
  #grid;
  #select = /** @type {HTMLSelectElement} */ (byId("player-board"));
  #query = /** @type {HTMLInputElement} */ (byId("player-query"));
  /** @type {BoardDocument[]} */
  #boards = [];
  #timer = 0;
  #asked = 0;
  /** @type {Map<string, Face>} */
  #faces = new Map();

  /**
   * @param {import("./api.js").Api} api
   * @param {object} shared
   * @param {import("./sure.js").Sure} shared.sure
   * @param {(text: string) => void} shared.tell
   */
  constructor(api, { sure, tell }) {
    this.#api = api;
    this.#sure = sure;
    this.#tell = tell;
    this.#grid = new Grid(byId("player-list"), "players-title", this.#columns(), ({ player }) => player, "");
    this.#select.onchange = () => {
      this.#grid.clear();
      this.#read();
    };
    this.#query.oninput = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#read(), PAUSE_MS);
    };
    byId("finder").onsubmit = (event) => {
      event.preventDefault();
      clearTimeout(this.#timer);
      this.#read();
    };
  }

  open() {
    this.#load();
  }

  close() {
    clearTimeout(this.#timer);
  }

  /** @param {BoardDocument[]} boards */
  know(boards) {
    const chosen = this.#select.value;
    this.#boards = boards;
    this.#select.replaceChildren(
      ...boards.map(({ board, title }) => {
        const option = make("option", "", title && title !== board ? `${title} (${board})` : board);
        option.value = board;
        return option;
      }),
    );
    if (boards.some(({ board }) => board === chosen)) this.#select.value = chosen;
  }

  async #load() {
    try {
      this.know(await this.#api.boards());
      await this.#read();
    } catch (error) {
      this.#tell(error instanceof Error ? error.message : String(error));
    }
  }

  async #read() {
    const board = this.#boards.find(({ board: one }) => one === this.#select.value);
    if (board === undefined) {
      write(byId("player-note"), "There are no boards yet.");
      return;
    }
    this.#asked += 1;
    const asked = this.#asked;
    const beginning = this.#query.value.trim();
    try {
      const found = await (beginning === "" ? this.#api.top(board.board) : this.#api.find(board.board, beginning));
      // Whoever typed on has asked something else by now.
      if (asked === this.#asked) this.#show(found, beginning);
    } catch (error) {
      if (asked === this.#asked) write(byId("player-note"), error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * @param {import("./documents.d.ts").Ranked} found
   * @param {string} beginning
   */
  #show({ entries, total, stale }, beginning) {
    this.#grid.empty = beginning === "" ? "Nobody is ranked on this board yet." : `Nobody whose name or id begins with “${beginning}” is on this board.`;
    this.#grid.show(entries);
    const players = `${formatCount(total)} ${total === 1 ? "player" : "players"}`;
    const whose = beginning === "" ? `The best ${formatCount(entries.length)} of ${players}` : `${formatCount(entries.length)} of ${players}`;
    write(byId("player-note"), `${whose}${stale ? ", as they stood before the ranking went away" : ""}.`);
  }

  /** @returns {import("./grid.js").Column<Entry>[]} */
  #columns() {
    return [
      { title: "Player", kind: "main person", fill: (cell, entry) => this.#portray(cell, entry) },
      { title: "Rank", kind: "number", fill: (cell, { rank }) => write(cell, rank === null ? "–" : formatCount(rank)) },
      { title: "Score", kind: "number", fill: (cell, { score }) => write(cell, this.#written(score)) },
      { title: "Country", kind: "extra", fill: (cell, { country }) => write(cell, countryName(country)) },
      { title: "Seq", kind: "number soft extra", about: "Orders all changes of entries", fill: (cell, { seq }) => write(cell, String(seq)) },
      { title: "What can be done", kind: "acts", fill: (cell, entry) => actIn(cell, "Remove", `Remove ${displayName(entry)}`, () => this.#remove(entry), "plain grave") },
    ];
  }

  /**
   * @param {HTMLElement} cell
   * @param {Entry} entry
   */
  #portray(cell, entry) {
    if (cell.childElementCount === 0) {
      const face = new Face();
      this.#faces.set(entry.player, face);
      cell.append(make("div", "", face.element, make("span", "names", make("bdi", "strong"), make("span", "small"))));
    }
    this.#faces.get(entry.player)?.show(entry);
    write(/** @type {Element} */ (cell.querySelector(".strong")), displayName(entry));
    write(/** @type {Element} */ (cell.querySelector(".small")), entry.player);
  }

  /** @param {Entry["score"]} score */
  #written(score) {
    const columns = this.#boards.find(({ board }) => board === this.#select.value)?.columns ?? [];
    return [score]
      .flat()
      .map((value, index) => formatScore(value, columns[index]?.decimals ?? 0))
      .join(" · ");
  }

  /** @param {Entry} entry */
  #remove(entry) {
    const board = this.#select.value;
    const name = displayName(entry);
    this.#sure.ask({
      title: `Remove ${name}?`,
      text: `The entry of ${entry.player} on ${board} goes at once. A later score ranks the player anew.`,
      act: "Remove the entry",
      perform: async () => {
        await this.#api.remove(board, entry.player);
        this.#tell(`${name} is off ${board}.`);
        await this.#read();
      },
    });
  }
}
