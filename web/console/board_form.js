/**
 * The form of one board.
 *
 * @module
 */

import { byId, make } from "../page/make.js";
import { MOST_COLUMNS, documentOf, newColumn } from "./board_document.js";

/** @typedef {import("./board_document.js").Draft} Draft */
/** @typedef {import("./board_document.js").DraftColumn} DraftColumn */

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (byId(id));

export class BoardForm {
  #dialog = /** @type {HTMLDialogElement} */ (byId("board-dialog"));
  #save = /** @type {HTMLButtonElement} */ (byId("board-save"));
  #list = byId("f-columns");
  #onSave;
  #isNew = true;

  /** @param {(board: string, document: unknown) => Promise<void>} onSave fails with a sentence, and the form stays */
  constructor(onSave) {
    this.#onSave = onSave;
    byId("board-cancel").onclick = () => this.#dialog.close();
    byId("f-more").onclick = () => {
      this.#list.append(this.#column(newColumn()));
      this.#count();
      /** @type {HTMLInputElement} */ (this.#list.lastElementChild?.querySelector("input")).focus();
    };
    byId("board-form").onsubmit = (event) => {
      event.preventDefault();
      this.#submit();
    };
  }

  /**
   * @param {Draft} draft
   * @param {boolean} isNew
   */
  open(draft, isNew) {
    this.#isNew = isNew;
    byId("board-dialog-title").textContent = isNew ? "New board" : `Edit ${draft.title || draft.board}`;
    this.#save.textContent = isNew ? "Create the board" : "Save";
    byId("board-note").textContent = "";
    input("f-board").value = draft.board;
    input("f-board").readOnly = !isNew;
    input("f-title").value = draft.title;
    input("f-operator").value = draft.operator;
    input("f-ranks").value = draft.ranks;
    input("f-writes").value = draft.writes;
    input("f-public").value = draft.open ? "yes" : "no";
    this.#list.replaceChildren(...draft.columns.map((column) => this.#column(column)));
    this.#count();
    this.#dialog.showModal();
    input(isNew ? "f-board" : "f-title").focus();
  }

  /** @param {DraftColumn} column */
  #column({ name, direction, decimals, minimum, maximum }) {
    const select = make("select", "direction", option("desc", "Higher is better"), option("asc", "Lower is better"));
    select.value = direction;
    const item = make(
      "li",
      "",
      labelled("Column", typed("name", name, "score")),
      labelled("Order", select),
      labelled("Decimals", typed("decimals", decimals, "0")),
      labelled("Least", typed("minimum", minimum, "any")),
      labelled("Greatest", typed("maximum", maximum, "any")),
    );
    const drop = make("button", "plain drop", "Remove");
    drop.type = "button";
    drop.onclick = () => {
      item.remove();
      this.#count();
      byId("f-more").focus();
    };
    item.append(drop);
    return item;
  }

  #count() {
    const items = [...this.#list.children];
    byId("f-more").hidden = items.length >= MOST_COLUMNS;
    items.forEach((item, index) => {
      const drop = /** @type {HTMLElement} */ (item.querySelector(".drop"));
      drop.hidden = items.length === 1;
      drop.setAttribute("aria-label", `Remove column ${index + 1}`);
    });
  }

  /** @returns {Draft} */
  #draft() {
    return {
      board: input("f-board").value.trim(),
      title: input("f-title").value,
      columns: [...this.#list.children].map((item) => {
        const value = (/** @type {string} */ field) => /** @type {HTMLInputElement} */ (item.querySelector(`.${field}`)).value;
        return {
          name: value("name").trim(),
          direction: value("direction"),
          decimals: value("decimals"),
          minimum: value("minimum"),
          maximum: value("maximum"),
        };
      }),
      operator: input("f-operator").value,
      ranks: input("f-ranks").value,
      writes: input("f-writes").value,
      open: input("f-public").value === "yes",
    };
  }

  async #submit() {
    byId("board-note").textContent = "";
    this.#save.disabled = true;
    try {
      const draft = this.#draft();
      await this.#onSave(draft.board, documentOf(draft));
      this.#dialog.close();
    } catch (error) {
      byId("board-note").textContent = error instanceof Error ? error.message : String(error);
    } finally {
      this.#save.disabled = false;
    }
  }

  get isNew() {
    return this.#isNew;
  }
}

/**
 * @param {string} value
 * @param {string} text
 */
function option(value, text) {
  const made = make("option", "", text);
  made.value = value;
  return made;
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} placeholder
 */
function typed(name, value, placeholder) {
  const made = make("input", name);
  made.value = value;
  made.placeholder = placeholder;
  made.autocomplete = "off";
  made.spellcheck = false;
  made.autocapitalize = "off";
  if (name !== "name") made.inputMode = "decimal";
  return made;
}

/**
 * @param {string} text
 * @param {HTMLElement} field
 */
const labelled = (text, field) => make("label", "", make("span", "", text), field);
