/**
 * How the whole service is, read again every two seconds while somebody looks.
 *
 * @module
 */

import { byId, draw, make, write } from "../page/make.js";
import { Meter } from "../page/meter.js";
import { NOTHING, count, lag, most, rate, span, sum } from "./figures.js";
import { Grid } from "./grid.js";

/** @typedef {import("./documents.d.ts").Status} Status */
/** @typedef {import("./documents.d.ts").Process} Process */

const EVERY_MS = 2000;
/** As many readings as a line shows. */
const READINGS = 30;
/** A process of which nothing was heard for so long is looked at twice. */
const QUIET_MS = 12_000;
/** An outbox whose oldest row is older, in seconds, falls behind. */
const BEHIND_S = 5;

const NO_WORKER = "No worker has been heard of lately: scores are kept, and not ranked until one is back.";
/** Processes tell of themselves where the ranking is. */
const NOT_HEARD = "While the ranking is away nobody else can be heard of.";

class Tile {
  #value = make("dd", "value");
  #more = make("span", "more");
  #line = draw("svg", { viewBox: "0 0 120 28", preserveAspectRatio: "none", "aria-hidden": "true", class: "line" });
  #meter = new Meter(READINGS);
  element;

  /** @param {string} name */
  constructor(name) {
    this.element = make("div", "tile", make("dt", "", name), this.#value);
    this.element.append(this.#line);
  }

  /**
   * @param {string} value
   * @param {string} more
   * @param {"calm" | "caution" | "grave"} mood
   * @param {number | null} [reading] for the line
   */
  show(value, more, mood, reading) {
    this.element.dataset.mood = mood;
    if (this.#value.firstChild?.textContent !== value) this.#value.replaceChildren(value, this.#more);
    write(this.#more, more);
    if (reading === undefined || reading === null) return;
    this.#meter.add(reading);
    const { values } = this.#meter;
    if (values.length < 2) return;
    const greatest = Math.max(...values, 1e-9);
    const points = values.map((one, index) => `${((READINGS - values.length + index) / (READINGS - 1)) * 120},${26 - (one / greatest) * 24}`);
    this.#line.replaceChildren(draw("polyline", { points: points.join(" ") }));
  }
}

export class ServiceView {
  #onStatus;
  #api;
  #tiles = {
    database: new Tile("Database"),
    ranking: new Tile("Ranking"),
    outbox: new Tile("Waiting to be ranked"),
    lag: new Tile("Commit to watchers"),
    connections: new Tile("Connections"),
    deliveries: new Tile("Deliveries a second"),
    drift: new Tile("Drift"),
    dead: new Tile("Dead letters"),
  };
  #nodes;
  #workers;
  #now = Date.now();
  #timer = 0;
  #asking = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {(status: Status) => void} onStatus
   */
  constructor(api, onStatus) {
    this.#api = api;
    this.#onStatus = onStatus;
    byId("tiles").replaceChildren(...Object.values(this.#tiles).map(({ element }) => element));
    this.#nodes = new Grid(byId("nodes"), "nodes-title", this.#nodeColumns(), ({ id }) => id, "No node has been heard of.");
    this.#workers = new Grid(
      byId("workers"),
      "workers-title",
      this.#workerColumns(),
      ({ id }) => id,
      NO_WORKER,
    );
  }

  /** Somebody looks, from now on. */
  open() {
    this.close();
    this.read();
    this.#timer = setInterval(() => document.visibilityState === "visible" && this.read(), EVERY_MS);
  }

  close() {
    clearInterval(this.#timer);
  }

  async read() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      this.#show(await this.#api.status());
    } catch (error) {
      byId("as-of").dataset.kind = "gone";
      write(byId("as-of"), error instanceof Error ? error.message : String(error));
    } finally {
      this.#asking = false;
    }
  }

  /** @param {Status} status */
  #show(status) {
    this.#now = Date.parse(status.at);
    byId("as-of").dataset.kind = "live";
    write(byId("as-of"), `As of ${new Date(this.#now).toLocaleTimeString()}, told by ${status.node}`);
    this.#showTiles(status);
    this.#nodes.show(status.nodes);
    this.#workers.empty = status.ranking === "ok" ? NO_WORKER : NOT_HEARD;
    this.#workers.show(status.workers);
    this.#onStatus(status);
  }

  /** @param {Status} status */
  #showTiles({ database, ranking, outbox, dead_letters: dead, nodes }) {
    const tiles = this.#tiles;
    tiles.database.show(database === "ok" ? "OK" : "Away", database === "ok" ? "scores are kept" : "scores are refused", database === "ok" ? "calm" : "grave");
    tiles.ranking.show(ranking === "ok" ? "OK" : "Away", ranking === "ok" ? "ranks follow" : "ranks stand still", ranking === "ok" ? "calm" : "grave");
    const behind = outbox !== null && outbox.age > BEHIND_S;
    const oldest = outbox === null || outbox.rows === 0 ? "nothing waits" : `the oldest for ${lag(outbox.age)}`;
    tiles.outbox.show(count(outbox?.rows), outbox === null ? "not known" : oldest, behind ? "caution" : "calm", outbox?.rows);
    const slow = most(nodes, "lag_p99");
    const middle = most(nodes, "lag_p50");
    tiles.lag.show(lag(middle), slow === null ? "nothing was pushed lately" : `one in a hundred over ${lag(slow)}`, slow !== null && slow > BEHIND_S ? "caution" : "calm", middle ?? 0);
    const connections = sum(nodes, "connections");
    tiles.connections.show(count(connections), nodes.length === 1 ? "on one node" : `on ${nodes.length} nodes`, "calm", connections);
    const pace = sum(nodes, "deliveries_per_second");
    tiles.deliveries.show(rate(pace), `${rate(sum(nodes, "accepted_per_second"))} scores a second come in`, "calm", pace);
    const drift = sum(nodes, "drift");
    const holes = sum(nodes, "resyncs");
    const mended = holes === 1 ? "1 hole mended" : `${count(holes)} holes mended`;
    tiles.drift.show(count(drift), drift ? `times a node was behind · ${mended}` : `no node was behind · ${mended}`, drift ? "caution" : "calm");
    const letters = dead === null ? null : Math.max(dead.rows, dead.messages);
    tiles.dead.show(count(letters), letters === null ? "not known" : letters === 0 ? "nothing was put aside" : "put aside, see there", letters ? "caution" : "calm");
  }

  /** @returns {import("./grid.js").Column<Process>[]} */
  #common() {
    return [
      { title: "Address", kind: "main", fill: (cell, { id, address }) => named(cell, address, id) },
      {
        title: "Up for",
        fill: (cell, { started, seen }) => {
          const quiet = this.#now - Date.parse(seen) > QUIET_MS;
          cell.dataset.mood = quiet ? "caution" : "calm";
          write(cell, quiet ? `silent for ${span(this.#now - Date.parse(seen))}` : span(this.#now - Date.parse(started)));
        },
      },
    ];
  }

  /** @returns {import("./grid.js").Column<Process>[]} */
  #nodeColumns() {
    return [
      ...this.#common(),
      number("Connections", "connections", count),
      number("Deliveries/s", "deliveries_per_second", rate, "Frames handed to connections, a second"),
      number("Scores/s", "accepted_per_second", rate, "Submissions accepted, a second"),
      number("Lag", "lag_p50", lag, "From a commit until every watcher in step has it: the middle, since the last beat"),
      number("Lag p99", "lag_p99", lag, "One in a hundred took longer"),
      number("Merged", "merged", count, "Frames that brought a slow client forward"),
      number("Refused", "refused", count, "Handshakes and submissions, for want of room", true),
      number("Resyncs", "resyncs", count, "Times a board was read again to mend a hole"),
      number("Drift", "drift", count, "Times the ranking was ahead of what the node held, unannounced", true),
    ];
  }

  /** @returns {import("./grid.js").Column<Process>[]} */
  #workerColumns() {
    return [
      ...this.#common(),
      number("Applied/s", "applied_per_second", rate, "Changes applied to the ranking, a second"),
      number("Applied", "applied", count),
      number("Lag", "lag_p50", lag, "From a commit until it was ranked: the middle, since the last beat"),
      number("Lag p99", "lag_p99", lag, "One in a hundred took longer"),
      number("Rebuilds", "rebuilds", count, "Boards ranked anew from the database"),
      number("Put aside", "put_aside", count, "What could not be read", true),
    ];
  }
}

/**
 * @param {HTMLElement} cell
 * @param {string} main
 * @param {string} small
 */
function named(cell, main, small) {
  if (cell.childElementCount === 0) cell.append(make("span", "strong"), make("span", "small"));
  write(cell.children[0], main);
  write(cell.children[1], small);
}

/**
 * @param {string} title
 * @param {string} field
 * @param {(value: import("./figures.js").Figure) => string} written
 * @param {string} [about]
 * @param {boolean} [worrying] anything but zero is
 * @returns {import("./grid.js").Column<Process>}
 */
function number(title, field, written, about, worrying = false) {
  return {
    title,
    kind: "number",
    about,
    fill: (cell, process) => {
      const text = written(process[field]);
      write(cell, text);
      cell.dataset.mood = worrying && text !== NOTHING && process[field] !== 0 ? "caution" : "calm";
    },
  };
}
