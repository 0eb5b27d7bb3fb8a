// uWebSockets: `node uws.js PORT BYTES`; each line on stdin publishes one text of BYTES to every connection.
"use strict";
const uws = require(process.env.UWS_FOLDER + "/node_modules/@trufflesuite/uws-js-unofficial");
const [port, bytes] = process.argv.slice(2).map(Number);
const text = "x".repeat(bytes);
const app = uws.App();
app.ws("/*", { idleTimeout: 0, compression: uws.DISABLED, maxBackpressure: 1024 * 1024, open: (socket) => socket.subscribe("all") });
app.listen("127.0.0.1", port, (listening) => {
  if (!listening) process.exit(1);
});
process.stdin.on("data", (lines) => {
  for (const byte of lines) if (byte === 10) app.publish("all", text, false);
});
process.stdin.on("end", () => process.exit(0));
