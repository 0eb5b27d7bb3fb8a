/**
 * Asks whether somebody means it. What cannot be undone is confirmed by typing a word.
 *
 * @module
 */

import { byId } from "../page/make.js";

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} act what the button says
 * @property {string} [word] to be typed
 * @property {() => Promise<void>} perform fails with a sentence, and the question stays
 */

export class Sure {
  #dialog = byId(/** @type {const} */ ("sure"));
  #input = /** @type {HTMLInputElement} */ (byId("sure-input"));
  #button = /** @type {HTMLButtonElement} */ (byId("sure-do"));
  /** @type {Question | null} */
  #question = null;

  constructor() {
    byId("sure-cancel").addEventListener("click", () => this.#close());
    byId("sure-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#perform();
    });
    this.#input.addEventListener("input", () => this.#check());
  }

  /** @param {Question} question */
  ask(question) {
    this.#question = question;
    byId("sure-title").textContent = question.title;
    byId("sure-text").textContent = question.text;
    byId("sure-note").textContent = "";
    byId("sure-typed").hidden = question.word === undefined;
    byId("sure-word").textContent = question.word ?? "";
    this.#button.textContent = question.act;
    this.#input.value = "";
    this.#check();
    /** @type {HTMLDialogElement} */ (this.#dialog).showModal();
    if (question.word === undefined) byId("sure-cancel").focus();
    else this.#input.focus();
  }

  #check() {
    const word = this.#question?.word;
    this.#button.disabled = word !== undefined && this.#input.value !== word;
  }

  async #perform() {
    const question = this.#question;
    if (question === null || this.#button.disabled) return;
    this.#button.disabled = true;
    try {
      await question.perform();
      this.#close();
    } catch (error) {
      byId("sure-note").textContent = error instanceof Error ? error.message : String(error);
      this.#check();
    }
  }

  #close() {
    this.#question = null;
    /** @type {HTMLDialogElement} */ (this.#dialog).close();
  }
}
