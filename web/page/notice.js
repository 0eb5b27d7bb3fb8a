/**
 * What stands in the table's place when there is nothing to rank, and why.
 *
 * @module
 */

/** @typedef {"loading" | "empty" | "unknown" | "none" | "unreachable" | "refused"} Absence */

/** @type {Record<Absence, (board: string) => [string, string]>} */
const WORDS = {
  loading: () => ["", ""],
  empty: () => ["Nobody has scored yet", "The first score will appear here by itself."],
  unknown: (board) => [`There is no board “${board}”`, "It may have another name, or it is not there yet. This page keeps looking."],
  none: () => ["There are no boards yet", "Create one with “rankcast board create”. It will appear here by itself."],
  unreachable: () => ["The service does not answer", "This page keeps trying."],
  refused: () => ["This board cannot be shown", "It is not public."],
};

export class Notice {
  /**
   * @param {HTMLElement} section with an `h2` and a `p`
   * @param {HTMLElement} ghosts shown while loading
   */
  constructor(section, ghosts) {
    this.section = section;
    this.ghosts = ghosts;
    this.heading = /** @type {HTMLElement} */ (section.querySelector("h2"));
    this.sentence = /** @type {HTMLElement} */ (section.querySelector("p"));
    ghosts.replaceChildren(...Array.from({ length: 9 }, () => document.createElement("span")));
  }

  /**
   * @param {Absence | null} absence null: there is a board to look at
   * @param {string} [board]
   */
  show(absence, board = "") {
    this.ghosts.hidden = absence !== "loading";
    this.section.hidden = absence === null || absence === "loading";
    const [heading, sentence] = absence === null ? ["", ""] : WORDS[absence](board);
    this.heading.textContent = heading;
    this.sentence.textContent = sentence;
  }
}
