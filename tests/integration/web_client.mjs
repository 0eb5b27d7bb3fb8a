// The browser's client in Node: node web_client.mjs URL BOARD PLAYER WAY. It writes a line of JSON for whatever it is told, and ends
// with its input. WAY: `websocket` or `events` alone, or `auto`.

import { connect } from "../../web/client/live.js";

const [url, board, player, way] = process.argv.slice(2);
const { TOKENS = "" } = process.env;
const tokens = TOKENS.split(" ").filter(Boolean);
const options = {
  events: { WebSocket: null },
  websocket: { fetch: () => Promise.reject(new Error("by WebSocket alone")) },
  auto: {},
}[way];

const write = (line) => console.log(JSON.stringify(line));
const live = connect(url, { ...options, token: tokens.length ? () => tokens.shift() ?? null : null });
live.on("status", (status, reason) => write({ live: status, reason, quality: live.quality }));
const topics = {
  top: live.top(board),
  player: live.player(board, player || undefined),
  around: live.around(board, player || undefined, { radius: 2 }),
};
for (const [name, topic] of Object.entries(topics)) {
  topic.on("state", (state, cause) => write({ name, state, cause, quality: live.quality }));
  topic.on("status", (status, reason) => write({ name, status, reason, quality: live.quality }));
}
process.stdin.resume();
process.stdin.on("end", () => live.close());
