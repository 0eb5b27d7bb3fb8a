/**
 * The page at `/console`, for whoever runs the service. Everything it does goes through the REST API, with a token that is
 * pasted in and stays in this tab.
 *
 * @module
 */

import { byId, write } from "../page/make.js";
import { next, remember, remembered, wear } from "../page/theme.js";
import { Api } from "./api.js";
import { BoardsView } from "./boards_view.js";
import { DeadLettersView } from "./dead_letters_view.js";
import { span } from "./figures.js";
import { PlayersView } from "./players_view.js";
import { ServiceView } from "./service_view.js";
import { Sure } from "./sure.js";
import { claims, forget, keep, kept, tokenIn } from "./token.js";

/** @typedef {{open: () => void, close: () => void}} View */

const PARTS = ["service", "boards", "players", "dead-letters"];
const TOLD_MS = 6000;
/** From when on the end of a token is said. */
const SOON_MS = 10 * 60_000;

class Console {
  #sure = new Sure();
  #input = /** @type {HTMLInputElement} */ (byId("token"));
  /** @type {Record<string, View> | null} null: nobody is in */
  #views = null;
  /** @type {number | null} */
  #ends = null;
  #subject = "";
  #told = 0;

  start() {
    wear(remembered(), byId("theme"));
    byId("theme").onclick = () => {
      remember(next(remembered()));
      wear(remembered(), byId("theme"));
    };
    byId("door").onsubmit = (event) => {
      event.preventDefault();
      this.#knock(this.#input.value);
    };
    byId("leave").onclick = () => this.#leave("");
    addEventListener("hashchange", () => this.#show(true));
    setInterval(() => this.#showWho(), 10_000);
    const token = kept();
    if (token === null) this.#leave("");
    else this.#enter(token);
  }

  /** @param {string} pasted */
  async #knock(pasted) {
    const token = tokenIn(pasted);
    write(byId("door-note"), "");
    if (token === null) return this.#refuse("This is no token: letters, digits, dots and dashes, in one piece.");
    try {
      await new Api(token, () => {}).status();
    } catch (error) {
      const told = /** @type {import("./api.js").Problem} */ (error);
      return this.#refuse(told.status === 403 ? "The service knows this token, but it is not an admin's." : told.message);
    }
    keep(token);
    this.#enter(token);
    byId("main").focus({ preventScroll: true });
  }

  /** @param {string} why */
  #refuse(why) {
    write(byId("door-note"), why);
    this.#input.focus();
    this.#input.select();
  }

  /** @param {string} token */
  #enter(token) {
    const api = new Api(token, (problem) => {
      // A token that was taken at the door is over now, or its bearer has another role.
      if (problem.status === 401) this.#leave("The token is not taken any more. It may have ended.");
    });
    this.#input.value = "";
    const shared = { sure: this.#sure, tell: (/** @type {string} */ text) => this.#tell(text) };
    const players = new PlayersView(api, shared);
    this.#views = {
      service: new ServiceView(api, (status) => this.#showDead(status)),
      boards: new BoardsView(api, { ...shared, onBoards: (boards) => players.know(boards) }),
      players,
      "dead-letters": new DeadLettersView(api, shared),
    };
    ({ subject: this.#subject, ends: this.#ends } = claims(token));
    document.body.dataset.state = "in";
    byId("door").hidden = true;
    this.#showWho();
    this.#show(false);
  }

  /** @param {string} why */
  #leave(why) {
    forget();
    for (const view of Object.values(this.#views ?? {})) view.close();
    this.#views = null;
    for (const dialog of document.querySelectorAll("dialog")) dialog.close();
    document.body.dataset.state = "out";
    for (const part of PARTS) byId(part).hidden = true;
    byId("door").hidden = false;
    write(byId("door-note"), why);
    this.#input.focus();
  }

  /** @param {boolean} asked by somebody, just now */
  #show(asked) {
    if (this.#views === null) return;
    const wanted = location.hash.slice(1);
    const part = PARTS.includes(wanted) ? wanted : PARTS[0];
    for (const [name, view] of Object.entries(this.#views)) {
      byId(name).hidden = name !== part;
      if (name === part) view.open();
      else view.close();
    }
    for (const link of byId("parts").querySelectorAll("a")) {
      if (link.hash === `#${part}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const heading = /** @type {HTMLElement} */ (byId(part).querySelector("h1"));
    document.title = `${heading.textContent} · Rankcast console`;
    scrollTo({ top: 0 });
    if (asked) heading.focus({ preventScroll: true });
  }

  #showWho() {
    const left = this.#ends === null ? Infinity : this.#ends - Date.now();
    const soon = left < SOON_MS;
    const who = byId("who");
    who.dataset.mood = soon ? "caution" : "calm";
    write(who, this.#views === null ? "" : soon ? `The token ends in ${span(left)}` : this.#subject);
  }

  /** @param {import("./documents.d.ts").Status} status */
  #showDead({ dead_letters: dead }) {
    const letters = dead === null ? 0 : Math.max(dead.rows, dead.messages);
    byId("dead-badge").hidden = letters === 0;
    write(byId("dead-badge"), String(letters));
  }

  /** @param {string} text */
  #tell(text) {
    clearTimeout(this.#told);
    const toast = byId("toast");
    toast.textContent = text;
    toast.dataset.shown = "";
    this.#told = setTimeout(() => {
      delete toast.dataset.shown;
      toast.textContent = "";
    }, TOLD_MS);
  }
}

new Console().start();
