/**
 * The page at `/`: one board live, the players that somebody watches, and what just happened.
 *
 * @module
 */

import { connect } from "./client/live.js";
import { Address, MOST_WATCHED } from "./page/address.js";
import { BoardView } from "./page/board_view.js";
import { listBoards } from "./page/boards.js";
import { Delay } from "./page/delay.js";
import { FollowCard } from "./page/follow_card.js";
import { displayName } from "./page/format.js";
import { happenings } from "./page/happenings.js";
import { byId } from "./page/make.js";
import { beMe, me } from "./page/me.js";
import { QualityPanel } from "./page/quality.js";
import { Race } from "./page/race.js";
import { Search } from "./page/search.js";
import { anchor } from "./page/sheet.js";
import { Speech } from "./page/speech.js";
import { Switcher } from "./page/switcher.js";
import { next, remember, remembered, wear } from "./page/theme.js";
import { Ticker } from "./page/ticker.js";
import { Wall } from "./page/wall.js";
import { Watchlist } from "./page/watchlist.js";

/** @typedef {import("./client/index.d.ts").Board} State */
/** @typedef {import("./client/index.d.ts").Entry} Entry */
/** @typedef {import("./page/address.js").Place} Place */

/** How often the list of boards is read again, in milliseconds: while there is nothing to look at, and otherwise. */
const LOOK_AGAIN_MS = 4_000;
const REFRESH_MS = 60_000;

class Page {
  /** @type {import("./page/boards.js").Board[]} */
  #boards = [];
  #address = new Address();
  #live = connect("/");
  #speech = new Speech();
  #quality = new QualityPanel(this.#live);
  #delay = new Delay((ms) => this.#quality.measured(ms));
  #view = new BoardView(this.#live, {
    onFollow: (player) => this.#toggle(player),
    onState: (state, before, cause) => this.#onState(state, before, cause),
    onDescribed: () => this.#showFollowed(),
    onDrawn: (stamp) => this.#delay.drawn(stamp),
  });
  #watchlist = new Watchlist(this.#live, (followed, before) => this.#onFollowed(followed, before));
  #card = new FollowCard({
    onFocus: (player) => this.#look(player),
    onDrop: (player) => this.#drop(player),
    onMine: (player) => this.#claim(player),
  });
  #race = new Race(() => this.#runners());
  #ticker = new Ticker(() => this.#watchlist.slots, (player) => this.#look(player));
  #search = new Search({
    onLook: () => (this.#view.state === null ? null : { board: this.#view.name ?? "", entries: this.#view.state.entries }),
    onQuery: (query) => this.#address.go({ query }, { replace: true }),
    onChoose: ({ player }) => this.#look(player, { query: "" }),
  });
  #switcher = new Switcher((board) => this.#go(board), (board) => this.#address.link({ board, watch: [], focus: null }));
  #wall = new Wall(() => this.#address.go({ wall: false }));
  #wasOpen = false;
  /** @type {string | null} */
  #home = null;
  /** A player to bring into sight as soon as there is a table. @type {string | null} */
  #sought = null;

  start() {
    const { place } = this.#address;
    this.#address.onChange((now, before) => this.#show(now, before, true));
    this.#live.on("status", () => this.#onStatus());
    for (const event of ["online", "offline"]) addEventListener(event, () => this.#view.showStatus());
    anchor(byId("quality"), byId("status"));
    this.#listen();
    this.#sought = place.focus;
    this.#show(place, null, false);
    this.#poll();
  }

  // -- what is asked for -------------------------------------------------------------------------------------------------

  #listen() {
    byId("theme").addEventListener("click", () => {
      const theme = next(this.#theme(this.#address.place));
      remember(theme);
      this.#address.go({ theme }, { replace: true });
    });
    byId("wall").addEventListener("click", () => this.#toggleWall());
    byId("find-me").addEventListener("click", () => this.#findMe());
    byId("tabs").addEventListener("click", (event) => {
      const link = event.target instanceof Element ? event.target.closest("a") : null;
      if (link === null || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.#address.go({ view: /** @type {import("./page/address.js").View} */ (link.dataset.view) });
      scrollTo({ top: 0 });
    });
    addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const typing = event.target instanceof HTMLInputElement;
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    if (event.key === "/") this.#search.focus();
    else if (event.key === "m") this.#findMe();
    else if (event.key === "f") this.#toggleWall();
    else if (event.key === "Escape" && this.#address.place.wall) this.#toggleWall();
    else return;
    event.preventDefault();
  }

  #toggleWall() {
    this.#address.go({ wall: !this.#address.place.wall });
  }

  #findMe() {
    const player = me();
    if (player === null) this.#search.focus();
    else this.#look(player);
  }

  /** @param {string} player the one who looks, or not any more */
  #claim(player) {
    beMe(me() === player ? null : player);
    this.#follow();
  }

  /**
   * Watch a player, tell of them in full, and bring them into sight.
   *
   * @param {string} player
   * @param {Partial<Place>} [changes]
   */
  #look(player, changes = {}) {
    const { watch } = this.#address.place;
    const wanted = watch.includes(player) ? watch : [...watch.slice(-(MOST_WATCHED - 1)), player];
    const inTable = this.#view.state?.entries.some((entry) => entry.player === player) ?? false;
    this.#address.go({ watch: wanted, focus: player, view: inTable ? "board" : "race", ...changes });
    this.#view.jump(player);
  }

  /** @param {string} player a row was chosen */
  #toggle(player) {
    const { watch } = this.#address.place;
    if (watch.includes(player)) this.#drop(player);
    else this.#address.go({ watch: [...watch.slice(-(MOST_WATCHED - 1)), player], focus: player });
  }

  /** @param {string} player */
  #drop(player) {
    const { watch, focus } = this.#address.place;
    this.#address.go({ watch: watch.filter((one) => one !== player), focus: focus === player ? null : focus });
  }

  /** @param {string} board */
  #go(board) {
    if (board !== this.#view.name) this.#address.go({ board, watch: [], focus: null, query: "" });
  }

  // -- what is shown -----------------------------------------------------------------------------------------------------

  /**
   * @param {Place} place
   * @param {Place | null} before
   * @param {boolean} asked by somebody, just now
   */
  #show(place, before, asked) {
    wear(this.#theme(place), byId("theme"));
    this.#wall.show(place.wall, asked);
    document.body.dataset.view = place.view;
    for (const link of byId("tabs").querySelectorAll("a")) {
      const view = /** @type {import("./page/address.js").View} */ (link.dataset.view);
      link.href = this.#address.link({ view });
      if (view === place.view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.#search.show(place.query);
    if (before !== null && place.board !== before.board) this.#open();
    this.#follow();
  }

  /** @param {Place} place */
  #theme({ theme }) {
    return theme === "system" ? remembered() : theme;
  }

  #focus() {
    const { watch, focus } = this.#address.place;
    return focus ?? watch.at(-1) ?? null;
  }

  #follow() {
    if (this.#view.name !== null) this.#watchlist.watch(this.#view.name, this.#address.place.watch);
    this.#view.mark(this.#watchlist.slots, me());
    this.#showFollowed();
  }

  #showFollowed() {
    this.#card.show(this.#watchlist.all, this.#focus(), me(), this.#view.columns, (player) => this.#nameOf(player));
  }

  /** @param {string} player */
  #nameOf(player) {
    const entry = this.#watchlist.of(player)?.entry ?? this.#view.state?.entries.find((one) => one.player === player);
    return entry ? displayName(entry) : player;
  }

  /** @returns {import("./page/plot.js").Runner[]} */
  #runners() {
    const focus = this.#focus();
    return this.#watchlist.all.map(({ player, slot }) => ({ player, slot, name: this.#nameOf(player), chosen: player === focus }));
  }

  // -- what comes --------------------------------------------------------------------------------------------------------

  /**
   * @param {State} state
   * @param {State | null} before
   * @param {string} cause
   */
  #onState(state, before, cause) {
    this.#race.top(state.entries);
    this.#speech.leader(state.entries, this.#view.columns);
    if (before !== null && before.epoch === state.epoch && before.version !== state.version && before.entries.length > 0) {
      this.#quality.moved(state);
      if (cause === "delta") this.#delay.came(this.#view.name ?? "", before, state);
      if (cause !== "check") this.#ticker.tell(happenings(before.entries, state.entries, new Set(this.#watchlist.slots.keys())));
    }
    if (before === null) {
      this.#search.begin();
      if (this.#sought !== null) setTimeout(() => this.#view.jump(this.#sought ?? ""), 50);
    }
    this.#search.refresh();
  }

  /**
   * @param {import("./page/watchlist.js").Followed} followed
   * @param {Entry | null} _before
   */
  #onFollowed(followed, _before) {
    this.#race.followed(followed);
    if (followed.entry !== null && followed.player === this.#focus()) this.#speech.standing(followed.entry);
    this.#showFollowed();
  }

  #onStatus() {
    const isOpen = this.#live.status === "live";
    if (isOpen !== this.#wasOpen && !this.#view.empty) this.#speech.connection(isOpen ? "back" : "lost");
    this.#wasOpen = isOpen;
    this.#view.showStatus();
    this.#quality.show();
  }

  // -- boards ------------------------------------------------------------------------------------------------------------

  /** Read the list now and then, for ever. */
  async #poll() {
    if (document.visibilityState === "visible") await this.#list();
    setTimeout(() => this.#poll(), this.#view.empty ? LOOK_AGAIN_MS : REFRESH_MS);
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
    return this.#address.place.board ?? this.#home;
  }

  #open() {
    const wanted = this.#wanted();
    if (wanted === null) {
      this.#view.miss("none");
      return;
    }
    if (wanted !== this.#view.name) {
      this.#ticker.clear();
      this.#race.clear();
      this.#speech.clear();
      this.#quality.clear();
    }
    this.#switcher.show(this.#boards, wanted);
    this.#view.open(wanted, this.#boards.find(({ board }) => board === wanted));
    this.#follow();
  }
}

new Page().start();
