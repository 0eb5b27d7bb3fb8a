/**
 * A conversation with a node over a WebSocket.
 *
 * @module
 */

/** @import { WebSocketLike } from "./index.d.ts" */

export const PROTOCOL = "rankcast.v1.json";
/** Until the node says welcome: something may swallow WebSockets, and there is another way. */
export const WELCOME_MS = 5_000;
/** A tab that wakes wants to know soon. */
export const WAKE_MS = 4_000;

/**
 * What is open. `lost` is called once, unless it was closed by us.
 * @typedef {object} Link
 * @property {(message: Record<string, any>) => void} send
 * @property {() => void} wake makes sure that somebody is there
 * @property {() => void} close
 */

/**
 * @typedef {object} Ears
 * @property {(message: any) => void} hear throws for what cannot be read
 * @property {(code: number, reason?: string, wait?: number) => void} lost wait: milliseconds to stay away
 * @property {(ms: number) => void} measured there and back
 * @property {() => number} now milliseconds
 */

/**
 * @param {string} url
 * @param {new (url: string, protocol: string) => WebSocketLike} Socket
 * @param {Ears} ears
 * @returns {Link}
 */
export function openSocket(url, Socket, { hear, lost, measured, now }) {
  const socket = new Socket(url.replace("http", "ws") + "/v1/live", PROTOCOL);
  /** @type {any} */
  let watchdog;
  /** @type {any} */
  let pings;
  let beat = WELCOME_MS / 2;
  let askedAt = 0;

  // Its own close can take minutes on a network that is gone, so nothing waits for it.
  const close = () => {
    clearTimeout(watchdog);
    clearInterval(pings);
    socket.onmessage = socket.onclose = null;
    socket.close();
  };
  const fail = (code = 1006, reason = "") => {
    close();
    lost(code, reason);
  };
  // Whatever comes next proves that somebody is there; silence means that nobody is.
  const expect = (/** @type {number} */ ms) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(fail, ms);
  };
  const send = (/** @type {object} */ message) => {
    if (socket.readyState === 1) socket.send(JSON.stringify(message));
  };
  const ping = () => {
    askedAt = now();
    send({ op: "ping" });
  };

  socket.onerror = () => {};
  socket.onclose = ({ code, reason }) => fail(code, reason);
  socket.onmessage = ({ data }) => {
    try {
      const message = JSON.parse(data);
      expect(beat * 2);
      if (message.type === "welcome") {
        beat = message.heartbeat * 1000;
        expect(beat * 2);
        pings = setInterval(ping, beat);
        ping();
      }
      if (message.type === "pong") measured(now() - askedAt);
      hear(message);
    } catch {
      fail();
    }
  };
  expect(WELCOME_MS);
  return {
    send,
    close,
    wake() {
      ping();
      expect(WAKE_MS);
    },
  };
}
