/**
 * One board on the page: what it is called, its table, and what is to be said when it cannot be shown.
 *
 * @module
 */

import { getBoard } from "./boards.js";
import { formatCount, orderSentence } from "./format.js";
import { byId, write } from "./make.js";
import { Notice } from "./notice.js";
import { StatusLight } from "./status.js";
import { BoardTable } from "./table.js";

/** @typedef {import("../client/index.d.ts").Live} Live */
/** @typedef {import("../client/index.d.ts").Board} State */
/** @typedef {import("./boards.js").Board} Board */
/** @typedef {import("./notice.js").Absence} Absence */

/**
 * @typedef {object} Listeners
 * @property {(player: string) => void} onFollow
 * @property {(state: State, before: State | null, cause: string) => void} onState
 * @property {() => void} onDescribed the columns are known, or others than before
 * @property {(stamp: string) => void} onDrawn `epoch/version` is on the screen with the next frame
 */

const LIMIT = 100;
/** Characters beyond which a title is set smaller. */
const LONG_TITLE = 24;

export class BoardView {
  /** @type {Board | null} */
  document = null;
  /** @type {State | null} */
  state = null;
  #table;
  #notice = new Notice(byId("notice"), byId("ghosts"));
  #light = new StatusLight(byId("status"));
  #live;
  #listeners;
  /** @type {string | null} */
  #name = null;
  /** @type {Absence | null} */
  #absence = "loading";
  /** @type {number | null} */
  #staleSince = null;
  #unwatch = () => {};

  /**
   * @param {Live} live
   * @param {Listeners} listeners
   */
  constructor(live, listeners) {
    this.#live = live;
    this.#listeners = listeners;
    this.#table = new BoardTable(byId("table"), listeners);
    this.miss("loading");
  }

  get name() {
    return this.#name;
  }

  /** Nothing of the board has come yet, or it is gone. */
  get empty() {
    return this.state === null;
  }

  get columns() {
    return this.document?.columns ?? [];
  }

  /**
   * @param {string} name
   * @param {Board | undefined} board what is known of it; a board that is not listed describes itself later
   */
  open(name, board) {
    const same = name === this.#name;
    if (!same) this.#clear(name);
    if (board !== undefined) this.#describe(board);
    if (same && !this.empty) return;
    this.#unwatch();
    const top = this.#live.top(name, { limit: LIMIT });
    const offs = [
      top.on("state", (state, cause, before) => this.#onState(state, before, cause)),
      top.on("status", (status, reason) => this.#onTopic(status, reason)),
    ];
    this.#unwatch = () => {
      for (const off of offs) off();
      top.close();
    };
  }

  /**
   * Say why there is nothing to see.
   * @param {Absence} absence
   */
  miss(absence) {
    this.state = null;
    this.#absence = absence;
    this.#showCounts();
    this.showStatus();
    this.#notice.show(absence, this.#name ?? "");
  }

  /**
   * @param {ReadonlyMap<string, number>} slots of the players who are watched
   * @param {string | null} mine
   */
  mark(slots, mine) {
    this.#table.mark(slots, mine);
  }

  /**
   * @param {string} player
   * @returns {boolean} false: the player is not in the table
   */
  jump(player) {
    return this.#table.jump(player);
  }

  showStatus() {
    const { status } = this.#live;
    this.#light.show({
      status,
      online: navigator.onLine,
      staleSince: this.#staleSince,
      synchronised: this.state !== null,
      missing: this.#absence !== null && this.#absence !== "loading",
    });
    byId("board").classList.toggle("behind", status !== "live" || this.#staleSince !== null);
  }

  /** @param {string} name */
  #clear(name) {
    this.#name = name;
    this.document = null;
    this.#staleSince = null;
    this.#table.reset([]);
    showTitle(name);
    byId("order").textContent = "";
    this.miss("loading");
    scrollTo({ top: 0 });
  }

  /** @param {Board} board */
  #describe(board) {
    const before = this.document;
    if (JSON.stringify(board) === JSON.stringify(before)) return;
    this.document = board;
    const title = board.title || board.board;
    showTitle(title);
    document.title = `${title} · Rankcast`;
    byId("order").textContent = orderSentence(board.columns, board.ranks);
    if (JSON.stringify(board.columns) === JSON.stringify(before?.columns)) return;
    this.#table.reset(board.columns);
    if (this.state !== null) this.#table.show(this.state);
    this.#listeners.onDescribed();
  }

  /**
   * @param {State} state
   * @param {State | null} before
   * @param {string} cause
   */
  #onState(state, before, cause) {
    // An unlisted board, or a new epoch: the board may have been edited.
    if (this.document === null || (this.state !== null && this.state.epoch !== state.epoch)) this.#read(state);
    this.state = state;
    this.#absence = state.entries.length === 0 ? "empty" : null;
    this.#staleSince = state.asOf;
    if (cause === "delta") this.#light.pulse();
    this.#table.show(state);
    this.#showCounts();
    this.showStatus();
    this.#notice.show(this.#absence);
    this.#listeners.onState(state, before, cause);
  }

  /** @param {State} state */
  async #read(state) {
    const name = this.#name ?? "";
    if (this.document === null) this.#describe(guess(name, state));
    const found = await getBoard(name).catch(() => null);
    if (found !== null && name === this.#name) this.#describe(found);
  }

  /**
   * @param {import("../client/index.d.ts").Status} status
   * @param {string | null} code
   */
  #onTopic(status, code) {
    if (status === "live" || status === "offline" || code === null) return;
    if (code === "board_unknown") this.miss("unknown");
    else if (code === "forbidden" || code === "unauthenticated") this.miss("refused");
    else if (this.state === null) this.miss("unreachable");
  }

  #showCounts() {
    const size = this.state?.entries.length ?? 0;
    const total = this.state?.total ?? 0;
    byId("table").hidden = size === 0;
    byId("count").hidden = this.state === null;
    write(byId("total"), formatCount(total));
    write(byId("players"), total === 1 ? "player" : "players");
    byId("rest").hidden = total <= size;
    write(byId("rest"), `and ${formatCount(total - size)} more`);
  }
}

/** @param {string} title */
function showTitle(title) {
  const heading = byId("title");
  heading.textContent = title;
  heading.classList.toggle("long", title.length > LONG_TITLE);
}

/**
 * @param {string} name
 * @param {State} state
 * @returns {Board} how a board is shown until its own description is there
 */
function guess(name, { entries, ranks }) {
  const size = [entries[0]?.score ?? 0].flat().length;
  /** @type {import("./boards.js").Column[]} */
  const columns = Array.from({ length: size }, (_, index) => ({
    name: size === 1 ? "score" : `score ${index + 1}`,
    direction: "desc",
  }));
  return { board: name, columns, ranks };
}
