/**
 * The page at `/`: which boards there are, and one of them live.
 *
 * @module
 */

import { connect } from "./client/live.js";
import { BoardView } from "./page/board_view.js";
import { listBoards } from "./page/boards.js";
import { Switcher } from "./page/switcher.js";

/** How often the list of boards is read again, in milliseconds: while there is nothing to look at, and otherwise. */
const LOOK_AGAIN_MS = 4_000;
const REFRESH_MS = 60_000;

class Page {
  /** @type {import("./page/boards.js").Board[]} */
  #boards = [];
  #live = connect("/");
  #view = new BoardView(this.#live);
  #switcher = new Switcher(/** @type {HTMLElement} */ (document.getElementById("boards")), (board) => this.#go(board));
  #wasOpen = false;
  /** @type {string | null} */
  #home = null;

  start() {
    this.#live.on("status", () => this.#onStatus());
    addEventListener("popstate", () => this.#open());
    addEventListener("online", () => this.#view.showStatus());
    addEventListener("offline", () => this.#view.showStatus());
    this.#look();
  }

  /** Read the list now and then, for ever. */
  async #look() {
    if (document.visibilityState === "visible") await this.#list();
    setTimeout(() => this.#look(), this.#view.empty ? LOOK_AGAIN_MS : REFRESH_MS);
  }

  async #list() {
    try {
      this.#boards = await listBoards();
    } catch {
      if (this.#view.empty) this.#view.miss("unreachable");
      return;
    }
    this.#switcher.show(this.#boards, this.#wanted());
    if (this.#view.empty) this.#open();
  }

  /** @returns {string | null} what the address asks for, else the board that was the first when we came */
  #wanted() {
    if (!this.#boards.some(({ board }) => board === this.#home)) this.#home = this.#boards[0]?.board ?? null;
    return new URLSearchParams(location.search).get("board") ?? this.#home;
  }

  #open() {
    const wanted = this.#wanted();
    if (wanted === null) {
      this.#view.miss("none");
      return;
    }
    this.#switcher.show(this.#boards, wanted);
    this.#view.open(wanted, this.#boards.find(({ board }) => board === wanted));
  }

  /** @param {string} board */
  #go(board) {
    if (board === this.#view.name) return;
    history.pushState(null, "", `?board=${encodeURIComponent(board)}`);
    this.#open();
  }

  #onStatus() {
    const isOpen = this.#live.status === "live";
    if (isOpen !== this.#wasOpen) this.#view.tell(isOpen ? "back" : "lost");
    this.#wasOpen = isOpen;
    this.#view.showStatus();
  }
}

new Page().start();
