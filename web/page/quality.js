/**
 * How good the connection is: in one word where everybody sees it, and in full for whoever asks.
 *
 * @module
 */

import { milliseconds } from "./format.js";
import { byId, draw, write } from "./make.js";
import { Meter } from "./meter.js";

/** @typedef {import("../client/index.d.ts").Live} Live */

const SAMPLES = 40;
/** Over so many seconds the pace of the board is told. */
const PACE_S = 10;

const TRANSPORTS = { websocket: "WebSocket", events: "Server-sent events" };

export class QualityPanel {
  #live;
  #screen = new Meter(SAMPLES);
  /** @type {number[]} when the board moved */
  #moves = [];
  #version = "";

  /** @param {Live} live */
  constructor(live) {
    this.#live = live;
    live.on("quality", () => this.show());
    setInterval(() => this.show(), 1000);
  }

  /** @param {{epoch: number, version: number}} state the board has moved to */
  moved({ epoch, version }) {
    this.#version = `${epoch} / ${version}`;
    this.#moves.push(performance.now());
    if (this.#moves.length > 2000) this.#moves.splice(0, 1000);
  }

  /** @param {number} ms from a score to the screen */
  measured(ms) {
    this.#screen.add(ms);
    this.show();
  }

  /** Another board. */
  clear() {
    this.#moves = [];
    this.#version = "";
    this.#screen.clear();
    this.show();
  }

  show() {
    const { quality } = this.#live;
    const middle = this.#screen.at(0.5);
    const slow = this.#screen.at(0.9);
    const since = performance.now() - PACE_S * 1000;
    while (this.#moves.length > 0 && this.#moves[0] < since) this.#moves.shift();
    write(byId("delay"), middle === null ? "" : milliseconds(middle));
    write(byId("q-transport"), quality.transport === null ? "None" : TRANSPORTS[quality.transport]);
    write(byId("q-latency"), quality.latency === null ? "–" : milliseconds(quality.latency));
    write(byId("q-screen"), middle === null ? "–" : milliseconds(middle));
    write(byId("q-slow"), slow === null ? "–" : milliseconds(slow));
    write(byId("q-pace"), `${(this.#moves.length / PACE_S).toFixed(1)} a second`);
    write(byId("q-back"), `${Math.max(0, quality.reconnects)}`);
    write(byId("q-version"), this.#version || "–");
    this.#spark();
  }

  #spark() {
    const svg = byId("q-spark");
    const { values } = this.#screen;
    svg.toggleAttribute("hidden", values.length < 2);
    const most = Math.max(...values, 1);
    const bars = values.map((value, index) => {
      const height = Math.max(1, (value / most) * 30);
      return draw("rect", { x: (SAMPLES - values.length + index) * 5, y: 32 - height, width: 3.4, height, rx: 1 });
    });
    svg.replaceChildren(...bars);
  }
}
