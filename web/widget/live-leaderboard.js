/**
 * `<live-leaderboard>`: a board as it changes, in any page.
 *
 *     <script type="module" src="https://scores.example/web/widget/live-leaderboard.js"></script>
 *     <live-leaderboard board="arcade"></live-leaderboard>
 *
 * `README.md` tells of its attributes, properties, events, custom properties and parts.
 *
 * @module
 */

// What those below import, too: all of it is asked for at once, not step by step over a slow network.
import "../client/crc32.js";
import "../client/events.js";
import "../client/live.js";
import "../client/reducer.js";
import "../client/socket.js";
import "../client/topic.js";
import "../page/arrange.js";
import "../page/face.js";
import "../page/make.js";
import "../page/motion.js";
import "../page/movement.js";
import "../page/pace.js";
import "../page/row.js";
import "../page/sight.js";
import "../page/widths.js";
import "./line.js";
import "./sheet.js";

import { Announcer } from "../page/announcer.js";
import { getBoard } from "../page/boards.js";
import { displayName, Numbers } from "../page/format.js";
import { kindOf } from "./condition.js";
import { borrow } from "./connections.js";
import { Frame } from "./frame.js";
import { Lines } from "./lines.js";
import { ATTRIBUTES, optionsOf, scoresShown, sizeFor, styleOf } from "./options.js";
import { Remarks } from "./remarks.js";
import { ENGLISH, fill } from "./words.js";

/** @typedef {import("../client/index.d.ts").Board} State */
/** @typedef {import("../client/index.d.ts").Entry} Entry */
/** @typedef {import("../client/index.d.ts").Token} Token */
/** @typedef {import("../client/index.d.ts").Topic<State>} Topic */
/** @typedef {import("../page/boards.js").Board} Described */

/** Between two times of speaking. */
const QUIET_MS = 8_000;
/** A connection that is lost this long is worth a word. */
const LOST_MS = 4_000;
/** How long the rows wait to be told what their columns are called. */
const DESCRIBED_MS = 2_500;
/** A board that is not there may be made. */
const LOOK_AGAIN_MS = 15_000;
const MOVEMENTS_MS = 1_000;

export class LiveLeaderboard extends HTMLElement {
  static observedAttributes = ATTRIBUTES;

  #frame = new Frame(this);
  #lines = new Lines(this.#frame.body, this.#frame.own, (entry) => this.#tell("select", { entry }));
  #announcer = new Announcer(this.#frame.voice, QUIET_MS);
  #remarks = new Remarks();
  #internals = this.attachInternals();
  #options = this.#read();
  /** @type {Token | null} */
  #token = null;
  /** @type {import("./words.js").Words} */
  #words = ENGLISH;
  /** @type {Described | null} */
  #described = null;
  /** The rows wait no longer for the description. */
  #patient = true;
  /** @type {import("./line.js").Manner | null} */
  #manner = null;
  /** Ends what is watched. */
  #unwatch = () => {};
  /** @type {Topic | null} */
  #topic = null;
  /** Around the watched player, beside the top. @type {Topic | null} */
  #around = null;
  /** @type {State | null} */
  #state = null;
  /** Why it was refused, until something comes. @type {string | null} */
  #refusal = null;
  /** @type {import("./condition.js").Kind} */
  #kind = "loading";
  #told = "";
  #drawn = /** @type {State | null} */ (null);
  /** Who leads, and the one who is watched, as they were drawn last. @type {Entry | null} */
  #foremost = null;
  /** @type {Entry | null} */
  #stands = null;
  #dirty = false;
  #due = false;
  #frameId = 0;
  #lostTold = false;
  /** @type {Record<"lost" | "again" | "described" | "movements", ReturnType<typeof setTimeout> | undefined>} */
  #timers = { lost: undefined, again: undefined, described: undefined, movements: undefined };

  constructor() {
    super();
    for (const name of /** @type {const} */ (["token", "words"])) {
      if (!Object.hasOwn(this, name)) continue;
      // Set before the element was known: the property of the class is to be used.
      const value = this[name];
      delete (/** @type {any} */ (this)[name]);
      /** @type {any} */ (this)[name] = value;
    }
  }

  // -- what a page sets and reads

  /** For a board that is not public, and for `player="me"`: text, or a function that is asked whenever one is due. */
  get token() {
    return this.#token;
  }

  set token(token) {
    if (token === this.#token) return;
    this.#token = token;
    if (this.isConnected) this.#watch();
  }

  /** Its own words for some or all of `words.js`. @returns {Partial<import("./words.js").Words>} */
  get words() {
    return this.#words;
  }

  set words(words) {
    this.#words = { ...ENGLISH, ...words };
    this.#undress();
  }

  /** The newest version of what is watched, as the client library has it; null: none has come. */
  get state() {
    return this.#state;
  }

  /** `loading`, `live`, `empty`, `unranked`, `stale`, `offline`, `unreachable`, `refused` or `unnamed`. */
  get status() {
    return this.#kind;
  }

  /** Why it is as it is, where there is something to say: as the client library has it. */
  get reason() {
    return this.#refusal ?? this.#topic?.reason ?? null;
  }

  connectedCallback() {
    this.#options = this.#read();
    this.#frame.watch(true);
    this.#lines.watch(true);
    this.#timers.movements = setInterval(() => this.#schedule(), MOVEMENTS_MS);
    for (const event of ["online", "offline"]) addEventListener(event, this.#changed);
    this.#watch();
  }

  disconnectedCallback() {
    this.#unwatch();
    this.#frame.watch(false);
    this.#lines.watch(false);
    this.#announcer.hush();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    for (const event of ["online", "offline"]) removeEventListener(event, this.#changed);
    cancelAnimationFrame(this.#frameId);
    this.#frameId = 0;
  }

  attributeChangedCallback() {
    if (!this.isConnected || this.#due) return;
    // Several at once are one change.
    this.#due = true;
    queueMicrotask(() => {
      this.#due = false;
      const before = this.#options;
      this.#options = this.#read();
      if (!this.isConnected) return;
      if (subject(before) !== subject(this.#options)) this.#watch();
      else if (watched(before) !== watched(this.#options)) this.#watchAlso();
      else this.#undress();
    });
  }

  #read() {
    return optionsOf((name) => this.getAttribute(name), import.meta.url, this.baseURI);
  }

  // -- what is watched

  #watch() {
    this.#unwatch();
    this.#unwatch = () => {};
    this.#state = this.#described = this.#topic = this.#around = this.#refusal = null;
    this.#patient = true;
    this.#drawn = null;
    this.#remarks.clear();
    this.#announcer.hush();
    this.#undress();
    if (this.#options.board !== null) this.#join(this.#options.board);
  }

  /** More or less of the same, or another row marked in it: what is shown stays until the new has come. */
  #watchAlso() {
    const leave = this.#unwatch;
    this.#remarks.clear();
    this.#undress();
    if (this.#options.board !== null) this.#join(this.#options.board);
    leave();
  }

  /** @param {string} board */
  #join(board) {
    const { service, view, limit, radius } = this.#options;
    const player = this.#options.player ?? "me";
    const { live, release } = borrow(service, this.#token);
    const around = view === "around";
    const topic = around ? live.around(board, player, { radius }) : live.top(board, { limit: sizeFor(limit) });
    const beside = around || this.#options.player === null ? null : live.around(board, player, { radius: 1 });
    this.#topic = topic;
    this.#around = beside;
    const offs = [
      topic.on("state", (state, cause, before) => this.#came(state, cause, before)),
      topic.on("status", (status, reason) => this.#turned(status, reason)),
      beside?.on("state", this.#changed),
    ];
    clearTimeout(this.#timers.described);
    this.#timers.described = setTimeout(() => this.#describedOrNot(), DESCRIBED_MS);
    this.#describe(board);
    this.#unwatch = () => {
      for (const off of offs) off?.();
      topic.close();
      beside?.close();
      release();
    };
  }

  /**
   * @param {State} state
   * @param {string} cause
   * @param {State | null} before
   */
  #came(state, cause, before) {
    this.#state = state;
    this.#refusal = null;
    // A new epoch: the board may have been edited.
    if (before !== null && before.epoch !== state.epoch) this.#describe(this.#options.board ?? "");
    if (cause === "delta") this.#frame.pulse();
    this.#changed();
  }

  /** @type {(status: import("../client/index.d.ts").Status, reason: string | null) => void} */
  #turned(status, reason) {
    clearTimeout(this.#timers.lost);
    if (status === "offline" && this.#state !== null) this.#timers.lost = setTimeout(() => this.#lost(), LOST_MS);
    if (status === "live" && this.#lostTold) {
      this.#lostTold = false;
      this.#say(this.#words.back, "connection");
    }
    if (status === "closed") this.#refuse(reason ?? "");
    this.#changed();
  }

  #lost() {
    this.#lostTold = true;
    this.#say(this.#words.lost, "connection");
  }

  /** @param {string} reason */
  #refuse(reason) {
    this.#refusal = reason;
    this.#state = null;
    clearTimeout(this.#timers.again);
    if (reason !== "board_unknown") return;
    this.#timers.again = setTimeout(() => {
      this.#unwatch();
      this.#join(this.#options.board ?? "");
    }, LOOK_AGAIN_MS * (1 + Math.random()));
  }

  /** @param {string} board */
  async #describe(board) {
    const [topic, { service }] = [this.#topic, this.#options];
    let found = null;
    try {
      const token = typeof this.#token === "function" ? await this.#token() : this.#token;
      found = await getBoard(board, service, token ?? null);
    } catch {
      // The rows are shown without.
    }
    if (topic !== this.#topic) return;
    if (found !== null && JSON.stringify(found) !== JSON.stringify(this.#described)) {
      this.#described = found;
      this.#undress();
    }
    this.#describedOrNot();
  }

  #describedOrNot() {
    clearTimeout(this.#timers.described);
    this.#patient = false;
    this.#changed();
  }

  // -- what is shown

  #changed = () => {
    this.#dirty = true;
    this.#schedule();
  };

  /** All is drawn anew. */
  #undress() {
    this.#manner = null;
    if (this.isConnected) this.#changed();
  }

  #schedule() {
    if (this.#frameId === 0) this.#frameId = requestAnimationFrame((now) => this.#draw(now));
  }

  /** @param {number} now */
  #draw(now) {
    this.#frameId = 0;
    if (!this.#dirty) return this.#lines.showMovements(now);
    this.#dirty = false;
    this.#lines.look(now);
    const state = this.#state;
    const board = this.#described;
    const manner = this.#dressed();
    const kind = this.#kindNow();
    const title = board?.title || this.#options.board || "";
    const { reason } = this;
    this.#frame.show({ kind, reason, state, options: this.#options, title, manner });
    if (state !== null && !(this.#patient && board === null)) this.#showRows(state, now);
    if (kind !== this.#kind) this.#setKind(kind);
    if (`${kind} ${reason}` !== this.#told) {
      this.#told = `${kind} ${reason}`;
      this.#tell("status", { status: kind, reason });
    }
    if (state !== null && state !== this.#drawn) {
      this.#drawn = state;
      this.#tell("change", { state });
    }
  }

  #kindNow() {
    const status = this.#refusal === null ? (this.#topic?.status ?? "connecting") : "closed";
    const described = this.#described !== null || !this.#patient;
    return kindOf({ board: this.#options.board, status, reason: this.reason, state: this.#state, described });
  }

  #dressed() {
    if (this.#manner !== null) return this.#manner;
    const options = this.#options;
    const columns = this.#described?.columns ?? guess(this.#state);
    const shown = scoresShown(options, columns);
    this.#manner = { options, columns, shown, numbers: new Numbers(options.locale), words: this.#words };
    this.#frame.wear(options);
    this.#frame.dress(this.#manner);
    this.#lines.dress(this.#manner);
    return this.#manner;
  }

  /**
   * @param {State} state
   * @param {number} now
   */
  #showRows(state, now) {
    const { view, limit, player } = this.#options;
    const beside = view === "around" ? state : (this.#around?.state ?? null);
    // Whom `me` stands for is said by the name of the topic alone.
    const mine = player === null && view === "top" ? null : (beside?.topic.split("/").at(-2) ?? player);
    const entries = view === "top" ? state.entries.slice(0, limit) : state.entries;
    const watched = beside?.entries.find((entry) => entry.player === mine) ?? null;
    const apart = watched !== null && !entries.some((entry) => entry.player === mine) ? watched : null;
    const focused = this.#frame.root.activeElement;
    this.#lines.show(entries, apart, mine, mine !== null && (player ?? "me") === "me", now);
    // A row that was moved the old way has lost it.
    if (focused instanceof HTMLElement && focused.isConnected) focused.focus({ preventScroll: true });
    this.#remark(entries[0]?.rank === 1 ? entries[0] : null, watched, view === "around" || beside !== null);
  }

  /** @type {(leader: Entry | null, watched: Entry | null, knows: boolean) => void} */
  #remark(leader, watched, knows) {
    // Until it is known where the player stands there is nothing to compare with.
    if (this.#options.player !== null && !knows) return;
    const remarks = this.#remarks.of(leader, watched);
    this.#foremost = leader;
    this.#stands = watched;
    for (const { kind, entry, before } of remarks) {
      this.#tell(kind === "leads" ? "leader" : "rank", { entry: kind === "left" ? null : entry, before });
      const leads = kind === "leads";
      this.#say(() => this.#sentence(kind, (leads ? this.#foremost : this.#stands) ?? entry), leads ? "leader" : "rank");
    }
    // Who leads needs not be told where that is.
    if (remarks.length > 0 && leader !== null && leader.player === watched?.player) this.#say("", "rank");
  }

  /** @type {(kind: "leads" | "stands" | "left", entry: Entry) => string} */
  #sentence(kind, entry) {
    const { columns, shown, numbers, options } = this.#dressed();
    const values = [entry.score].flat();
    const scores = shown.map((column, index) => {
      const text = numbers.score(values[column] ?? 0, columns[column].decimals, styleOf(options, index));
      return shown.length > 1 ? `${columns[column].name} ${text}` : text;
    });
    return fill(this.#words[kind], { name: displayName(entry), rank: numbers.count(entry.rank), score: scores.join(", ") });
  }

  /** @type {(sentence: string | (() => string), subject: string) => void} */
  #say(sentence, subject) {
    if (!this.#options.quiet) this.#announcer.say(sentence, subject);
  }

  /** @param {import("./condition.js").Kind} kind */
  #setKind(kind) {
    try {
      this.#internals.states.delete(this.#kind);
      this.#internals.states.add(kind);
    } catch {
      // A browser without custom states: the part `frame` has it all the same.
    }
    this.#kind = kind;
  }

  /** @type {(name: string, detail: Record<string, unknown>) => void} */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(`leaderboard-${name}`, { detail, bubbles: true, composed: true }));
  }
}

/** What it is that is looked at. @param {import("./options.js").Options} options */
const subject = ({ board, service, view, player }) => JSON.stringify([board, service, view, view === "around" ? player : null]);

/** What must be asked for anew when it changes. @param {import("./options.js").Options} options */
const watched = ({ board, service, view, limit, player, radius }) => JSON.stringify([board, service, view, sizeFor(limit), player, radius]);

/**
 * @param {State | null} state
 * @returns {import("../page/boards.js").Column[]} how scores are shown where nobody says what they are
 */
function guess(state) {
  const size = [state?.entries[0]?.score ?? 0].flat().length;
  return Array.from({ length: size }, (_, index) => ({ name: size === 1 ? "score" : `score ${index + 1}`, direction: "desc" }));
}

customElements.define("live-leaderboard", LiveLeaderboard);
