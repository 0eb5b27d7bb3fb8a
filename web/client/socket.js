/** A conversation with a node by WebSocket. @module */

export const PROTOCOL = "rankcast.v1.json";
/** Until a node says welcome: something may swallow WebSockets. */
export const SOON_MS = 5_000;

/** @type {import("./inside.js").Open} */
export const openSocket = (url, Socket, { hear, lost }) => {
  /** @type {import("./index.d.ts").WebSocketLike} */
  const socket = new Socket(url.replace("http", "ws") + "/v1/live", PROTOCOL);
  let watchdog = /** @type {any} */ (0);
  let pings = /** @type {any} */ (0);
  let beat = SOON_MS / 2;
  let asked = 0;
  // Whatever comes is a sign of life.
  const expect = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, beat * 2);
  };
  const send = (/** @type {object} */ message) => {
    if (socket.readyState === 1) socket.send(JSON.stringify(message));
  };
  const ping = () => {
    asked = performance.now();
    send({ op: "ping" });
  };

  expect();
  socket.onerror = () => {};
  socket.onclose = ({ code, reason }) => lost(code, reason);
  socket.onmessage = ({ data }) => {
    try {
      const message = JSON.parse(data);
      if (message.type === "welcome") {
        beat = message.heartbeat * 1000;
        pings = setInterval(ping, beat);
        ping();
      }
      expect();
      hear({ ...message, after: performance.now() - asked });
    } catch {
      lost();
    }
  };
  return {
    send,
    // Its own close can take minutes where the network is gone.
    close() {
      clearTimeout(watchdog);
      clearInterval(pings);
      socket.onmessage = socket.onclose = null;
      socket.close();
    },
  };
};
