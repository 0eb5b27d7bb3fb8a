/**
 * The page at `/overlay/build`: makes the address of an overlay, and shows what is at it.
 *
 * @module
 */

import { getBoard, listBoards } from "../page/boards.js";
import { displayName } from "../page/format.js";
import { byId, make, write as put } from "../page/make.js";
import { next, remember, remembered, wear } from "../page/theme.js";
import { POSITIONS, START, read, write } from "./options.js";

/** @typedef {import("./options.js").Options} Options */
/** @typedef {import("./options.js").Position} Position */

const LOOK_AGAIN_MS = 5_000;
const TOLD_MS = 4_000;
/** @type {Record<Position, string>} */
const SPOTS = {
  "top-left": "Top left",
  top: "Top",
  "top-right": "Top right",
  left: "Left",
  centre: "Centre",
  right: "Right",
  "bottom-left": "Bottom left",
  bottom: "Bottom",
  "bottom-right": "Bottom right",
};
const ACCENTS = { dark: "#5fd39c", light: "#13704a" };

/** @typedef {HTMLInputElement | HTMLSelectElement} Field */

class Builder {
  #options = read(location.search);
  #form = /** @type {HTMLFormElement} */ (byId("options"));
  #frame = /** @type {HTMLIFrameElement} */ (byId("preview"));
  #stage = byId("stage");
  #boards = /** @type {HTMLSelectElement} */ (byId("board"));
  #bare = /** @type {HTMLInputElement} */ (byId("bare"));
  #accent = /** @type {HTMLInputElement} */ (byId("accent"));
  #stream = /** @type {HTMLSelectElement} */ (byId("stream"));
  /** Whether the preview's page is there and takes changes. */
  #loaded = false;
  #told = 0;

  start() {
    wear(remembered(), byId("theme"));
    byId("theme").onclick = () => {
      remember(next(remembered()));
      wear(remembered(), byId("theme"));
    };
    this.#makeSpots();
    this.#fill();
    this.#form.addEventListener("input", () => this.#read());
    this.#form.addEventListener("submit", (event) => event.preventDefault());
    byId("own-accent").onclick = () => this.#become({ ...this.#options, accent: "" });
    byId("copy").onclick = () => this.#copy();
    byId("address").onfocus = (event) => /** @type {HTMLInputElement} */ (event.target).select();
    this.#stream.onchange = () => this.#fit();
    for (const button of this.#scenes) button.onclick = () => this.#dress(button);
    new ResizeObserver(() => this.#fit()).observe(this.#stage);
    this.#frame.onload = () => {
      this.#loaded = this.#frame.src !== "";
      this.#show();
    };
    this.#show();
    this.#list();
  }

  get #scenes() {
    return [...document.querySelectorAll(".scenes button")].map((one) => /** @type {HTMLButtonElement} */ (one));
  }

  /** @returns {Field[]} */
  get #fields() {
    return [...this.#form.elements].filter((one) => (one instanceof HTMLInputElement || one instanceof HTMLSelectElement) && one.name !== "" && one.type !== "radio").map((one) => /** @type {Field} */ (one));
  }

  #makeSpots() {
    const spots = POSITIONS.map((position) => {
      const input = make("input");
      Object.assign(input, { type: "radio", name: "position", value: position });
      input.setAttribute("aria-label", SPOTS[position]);
      return make("label", "", input, make("span"));
    });
    byId("spots").replaceChildren(...spots);
  }

  // -- between the form and the options

  #fill() {
    const given = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (this.#options));
    for (const field of this.#fields) {
      const value = String(given[field.name] ?? "");
      if (field !== document.activeElement || field.type === "range") field.value = value;
    }
    for (const spot of byId("spots").querySelectorAll("input")) spot.checked = spot.value === this.#options.position;
    this.#bare.checked = this.#options.heading === "";
    this.#accent.value = this.#options.accent === "" ? ACCENTS[this.#options.theme] : `#${this.#options.accent}`;
  }

  #read() {
    const typed = new URLSearchParams();
    for (const { name, value } of this.#fields) typed.set(name, value);
    typed.set("position", this.#form.querySelector("#spots input:checked")?.getAttribute("value") ?? START.position);
    if (this.#bare.checked) typed.set("heading", "");
    else if (typed.get("heading") === "") typed.delete("heading");
    // A colour that nobody chose stays the theme's.
    if (this.#accent.value !== ACCENTS[this.#options.theme]) typed.set("accent", this.#accent.value);
    const options = read(`?${typed}`);
    if (options.accent === ACCENTS[options.theme].slice(1)) options.accent = "";
    this.#become(options);
  }

  /** @param {Options} options */
  #become(options) {
    this.#options = options;
    history.replaceState(null, "", `${location.pathname}${write(options)}`);
    this.#fill();
    this.#show();
  }

  // -- what is seen

  #show() {
    const { board, view, player } = this.#options;
    const search = write(this.#options);
    const around = view === "around";
    this.#form.classList.toggle("around", around);
    /** @type {HTMLElement} */ (this.#form.querySelector(".of-top")).hidden = around;
    /** @type {HTMLElement} */ (this.#form.querySelector(".of-around")).hidden = !around;
    for (const output of this.#form.querySelectorAll("output")) {
      const field = /** @type {HTMLInputElement} */ (output.closest("label")?.querySelector("input"));
      put(output, field.value + (field.dataset.unit ?? ""));
    }
    const missing = around && player === "";
    byId("nothing").hidden = board !== "" && !missing;
    if (board !== "" && missing) put(byId("nothing"), "Say which player: name an id.");
    /** @type {HTMLInputElement} */ (byId("address")).value = board === "" ? "" : `${location.origin}/overlay${search}`;
    /** @type {HTMLButtonElement} */ (byId("copy")).disabled = board === "";
    if (board === "") return;
    if (!this.#loaded && this.#frame.src === "") this.#frame.src = `/overlay${search}`;
    else if (this.#loaded) this.#frame.contentWindow?.postMessage(search, location.origin);
  }

  /** The preview is as large as the stream, and drawn smaller. */
  #fit() {
    const [width, height] = this.#stream.value.split(" × ").map(Number);
    put(byId("said-size"), this.#stream.value);
    this.#stage.style.aspectRatio = `${width} / ${height}`;
    this.#stage.classList.toggle("tall", height > width);
    Object.assign(this.#frame.style, { width: `${width}px`, height: `${height}px`, transform: `scale(${this.#stage.clientWidth / width})` });
  }

  /** @param {HTMLButtonElement} chosen */
  #dress(chosen) {
    this.#stage.dataset.scene = chosen.dataset.scene;
    for (const button of this.#scenes) button.setAttribute("aria-pressed", String(button === chosen));
  }

  // -- boards

  async #list() {
    try {
      const boards = await listBoards();
      const { board } = this.#options;
      const named = boards.some((one) => one.board === board);
      const others = board === "" || named ? [] : [(await getBoard(board).catch(() => null)) ?? { board, title: "" }];
      this.#boards.replaceChildren(...[...others, ...boards].map((one) => option(one.board, one.title || one.board)));
      if (board === "" && boards.length > 0) this.#become({ ...this.#options, board: boards[0].board });
      else this.#boards.value = board;
      if (boards.length > 0) {
        this.#suggest();
        this.#boards.addEventListener("change", () => this.#suggest());
        return;
      }
      put(byId("nothing"), "There are no boards yet. The first one appears here by itself.");
    } catch {
      put(byId("nothing"), "The service does not answer. This page keeps trying.");
    }
    setTimeout(() => this.#list(), LOOK_AGAIN_MS);
  }

  /** Ids of who is on top, for whoever is to be marked. */
  async #suggest() {
    const { board } = this.#options;
    const response = await fetch(`/v1/boards/${encodeURIComponent(board)}/top?limit=25`).catch(() => null);
    const entries = response?.ok ? (await response.json()).entries : [];
    if (board === this.#options.board) {
      byId("players").replaceChildren(...entries.map((/** @type {{player: string}} */ entry) => option(entry.player, displayName(entry))));
    }
  }

  // -- the address

  async #copy() {
    const field = /** @type {HTMLInputElement} */ (byId("address"));
    let copied = true;
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Not everywhere may a page write to the clipboard by itself; what is selected can be copied by hand.
      field.select();
      copied = document.execCommand("copy");
    }
    put(byId("copied"), copied ? "Copied. In OBS: Sources, +, Browser, and paste it as the URL." : "Selected: copy it by hand.");
    clearTimeout(this.#told);
    this.#told = setTimeout(() => put(byId("copied"), ""), TOLD_MS);
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

new Builder().start();
