/**
 * What was put aside because it could not be read, and its redrive.
 *
 * @module
 */

import { byId, write } from "../page/make.js";
import { size, span } from "./figures.js";
import { Grid } from "./grid.js";

/** @typedef {import("./documents.d.ts").DeadLetter} DeadLetter */

const EVERY_MS = 5000;

export class DeadLettersView {
  #api;
  #sure;
  #tell;
  /** @type {Grid<DeadLetter>} */
  #grid;
  #timer = 0;

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
    this.#grid = new Grid(
      byId("dead-list"),
      "dead-title",
      [
        { title: "Letter", kind: "main", fill: (cell, { id }) => write(cell, id) },
        { title: "Why", kind: "long", fill: (cell, { reason }) => write(cell, reason) },
        { title: "Age", kind: "number", fill: (cell, { at }) => ((cell.title = new Date(at).toLocaleString()), write(cell, span(Date.now() - Date.parse(at)))) },
        { title: "Outbox rows", fill: (cell, { rows }) => write(cell, rows.length === 0 ? "not known" : rows.join(", ")) },
        { title: "Size", kind: "number", fill: (cell, letter) => write(cell, size(letter.size)) },
      ],
      ({ id }) => id,
      "Nothing was put aside. That is how it should be.",
    );
    byId("redrive").onclick = () => this.#redrive();
  }

  open() {
    this.close();
    this.#read();
    this.#timer = setInterval(() => document.visibilityState === "visible" && this.#read(), EVERY_MS);
  }

  close() {
    clearInterval(this.#timer);
  }

  async #read() {
    try {
      const letters = await this.#api.deadLetters();
      this.#grid.show(letters);
      /** @type {HTMLButtonElement} */ (byId("redrive")).disabled = letters.length === 0;
      write(byId("dead-note"), "");
    } catch (error) {
      write(byId("dead-note"), error instanceof Error ? error.message : String(error));
    }
  }

  #redrive() {
    this.#sure.ask({
      title: "Redrive all?",
      text: "Everything that was put aside is tried again. What still cannot be read comes back here.",
      act: "Redrive all",
      perform: async () => {
        const { rows, moved, dropped } = await this.#api.redrive();
        const parts = [
          rows > 0 && `${rows} ${rows === 1 ? "row" : "rows"} set free`,
          moved > 0 && `${moved} ${moved === 1 ? "message" : "messages"} moved back`,
          dropped > 0 && `${dropped} ${dropped === 1 ? "copy" : "copies"} thrown away`,
        ].filter(Boolean);
        this.#tell(parts.length > 0 ? `${parts.join(", ")}.` : "There was nothing to redrive.");
        await this.#read();
      },
    });
  }
}
