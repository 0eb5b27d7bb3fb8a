/**
 * The list of boards: links that work as links, and by arrow keys.
 *
 * @module
 */

/** @typedef {import("./boards.js").Board} Board */

export class Switcher {
  #list;
  #signature = "";

  /**
   * @param {HTMLElement} nav with a `ul`
   * @param {(board: string) => void} onChoose
   */
  constructor(nav, onChoose) {
    this.nav = nav;
    this.#list = /** @type {HTMLElement} */ (nav.querySelector("ul"));
    nav.addEventListener("keydown", (event) => this.#walk(event));
    nav.addEventListener("click", (event) => {
      const link = /** @type {HTMLElement} */ (event.target).closest("a");
      if (!link?.dataset.board || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      onChoose(link.dataset.board);
    });
  }

  /**
   * @param {Board[]} boards
   * @param {string | null} current
   */
  show(boards, current) {
    this.nav.hidden = boards.length < 2 && boards[0]?.board === current;
    const signature = JSON.stringify(boards.map(({ board, title }) => [board, title]));
    if (signature !== this.#signature) this.#list.replaceChildren(...boards.map(item));
    this.#signature = signature;
    for (const link of this.#list.querySelectorAll("a")) {
      if (link.dataset.board !== current) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) this.#mark(link);
    }
  }

  /** @param {HTMLElement} link */
  #mark(link) {
    link.setAttribute("aria-current", "page");
    const { parentElement: entry } = link;
    if (entry) this.#list.scrollTo({ left: entry.offsetLeft - this.#list.clientWidth / 3 });
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    const links = [...this.#list.querySelectorAll("a")];
    const at = links.indexOf(/** @type {HTMLAnchorElement} */ (document.activeElement));
    links[(at + step + links.length) % links.length]?.focus();
    event.preventDefault();
  }
}

/** @param {Board} board */
function item({ board, title }) {
  const entry = document.createElement("li");
  const link = document.createElement("a");
  link.href = `?board=${encodeURIComponent(board)}`;
  link.dataset.board = board;
  link.dir = "auto";
  link.textContent = title || board;
  entry.append(link);
  return entry;
}
