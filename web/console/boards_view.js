/**
 * The boards: what there are, new ones, edited ones, and those that go.
 *
 * @module
 */

import { orderSentence } from "../page/format.js";
import { byId, make, write } from "../page/make.js";
import { draftOf, newDraft } from "./board_document.js";
import { BoardForm } from "./board_form.js";
import { Grid, actIn } from "./grid.js";

/** @typedef {import("./documents.d.ts").BoardDocument} BoardDocument */

const OPERATORS = { best: "The best counts", latest: "The latest counts", sum: "Added up" };

export class BoardsView {
  #api;
  #sure;
  #tell;
  #onBoards;
  #form;
  /** @type {Grid<BoardDocument>} */
  #grid;

  /**
   * @param {import("./api.js").Api} api
   * @param {object} shared
   * @param {import("./sure.js").Sure} shared.sure
   * @param {(text: string) => void} shared.tell
   * @param {(boards: BoardDocument[]) => void} shared.onBoards
   */
  constructor(api, { sure, tell, onBoards }) {
    this.#api = api;
    this.#sure = sure;
    this.#tell = tell;
    this.#onBoards = onBoards;
    this.#form = new BoardForm(async (board, document) => {
      await api.putBoard(board, document);
      this.#tell(`Board ${board} is saved.`);
      await this.read();
    });
    this.#grid = new Grid(byId("board-list"), "boards-title", this.#columns(), ({ board }) => board, "There are no boards yet.");
    byId("new-board").onclick = () => this.#form.open(newDraft(), true);
  }

  open() {
    this.read().catch((error) => this.#tell(error.message));
  }

  close() {}

  async read() {
    const boards = await this.#api.boards();
    this.#grid.show(boards);
    this.#onBoards(boards);
  }

  /** @returns {import("./grid.js").Column<BoardDocument>[]} */
  #columns() {
    return [
      {
        title: "Board",
        kind: "main",
        fill: (cell, { board, title }) => {
          if (cell.childElementCount === 0) cell.append(make("bdi", "strong"), make("span", "small"));
          write(cell.children[0], title || board);
          write(cell.children[1], board);
        },
      },
      { title: "Ranked by", kind: "long extra", fill: (cell, { columns, ranks }) => write(cell, orderSentence(columns, ranks).split(".")[0]) },
      { title: "Submissions", kind: "extra", fill: (cell, { operator, writes }) => write(cell, `${OPERATORS[operator]}${writes === "player" ? ", by players, too" : ""}`) },
      { title: "Seen by", kind: "extra", fill: (cell, board) => write(cell, board.public ? "Everybody" : "Who has a token") },
      { title: "Revision", kind: "number extra", fill: (cell, { revision }) => write(cell, String(revision)) },
      { title: "What can be done", kind: "acts", fill: (cell, board) => this.#acts(cell, board) },
    ];
  }

  /**
   * @param {HTMLElement} cell
   * @param {BoardDocument} board
   */
  #acts(cell, board) {
    const name = board.title || board.board;
    if (cell.childElementCount === 0) cell.append(make("a", "plain", "Watch"), make("a", "plain", "Overlay"));
    const query = `board=${encodeURIComponent(board.board)}`;
    for (const [index, href, label] of /** @type {const} */ ([
      [0, `/?${query}`, `Watch ${name}`],
      [1, `/overlay/build?${query}`, `Overlay of ${name}`],
    ])) {
      const link = /** @type {HTMLAnchorElement} */ (cell.children[index]);
      link.href = href;
      link.setAttribute("aria-label", label);
    }
    actIn(cell, "Edit", `Edit ${name}`, () => this.#form.open(draftOf(board), false));
    actIn(cell, "Delete", `Delete ${name}`, () => this.#delete(board), "plain grave");
  }

  /** @param {BoardDocument} board */
  #delete({ board, title }) {
    this.#sure.ask({
      title: `Delete ${title || board}?`,
      text: "Its ranking goes at once, for everybody who watches. A new board of this name starts empty.",
      word: board,
      act: "Delete the board",
      perform: async () => {
        await this.#api.deleteBoard(board);
        this.#tell(`Board ${board} is deleted.`);
        await this.read();
      },
    });
  }
}
