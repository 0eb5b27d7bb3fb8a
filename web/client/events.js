/**
 * The same conversation by server-sent events: one request for each topic, by fetch, as an EventSource sends no token.
 *
 * @module
 */

/** @import { Ears, Link } from "./socket.js" */

/** Until a node answers. */
export const ANSWER_MS = 10_000;
/** Characters of one event. */
const LONGEST = 2 ** 22;
const LONGEST_RETRY_S = 60;

/**
 * @param {string} url
 * @param {typeof fetch} ask
 * @param {Ears} ears
 * @returns {Link}
 */
export function openEvents(url, ask, { hear, lost, measured, now }) {
  /** @type {Map<number, AbortController>} */
  const streams = new Map();
  let token = "";

  const end = (/** @type {number} */ id) => {
    streams.get(id)?.abort();
    streams.delete(id);
  };
  const close = () => [...streams.keys()].forEach(end);
  const fail = (code = 1006, reason = "", wait = 0) => {
    close();
    lost(code, reason, wait);
  };

  /** @param {any} message */
  const follow = async ({ op: _, id, board, resume, ...view }) => {
    end(id);
    const stream = new AbortController();
    const { signal } = stream;
    streams.set(id, stream);
    /** @type {any} */
    let watchdog;
    let beat = ANSWER_MS;
    const expect = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => signal.aborted || fail(), beat);
    };
    try {
      expect();
      const askedAt = now();
      const headers = new Headers({ Accept: "text/event-stream" });
      if (token) headers.set("Authorization", `Bearer ${token}`);
      if (resume) headers.set("Last-Event-ID", `${resume.epoch}-${resume.version}`);
      const path = `${url}/v1/boards/${encodeURIComponent(board)}/live?${new URLSearchParams(view)}`;
      const answer = await ask(path, { headers, signal, cache: "no-store" });
      const { status } = answer;
      if (status !== 200) {
        if (status >= 500 || status === 429 || status === 408) {
          const told = Number(answer.headers.get("Retry-After")) || 0;
          fail(1006, "", Math.min(told, LONGEST_RETRY_S) * 1000);
        } else hear({ ...(await answer.json()), type: "error", id });
        return;
      }
      measured(now() - askedAt);
      const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
      const decoder = new TextDecoder();
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (signal.aborted) return;
        if (done) break;
        expect();
        const events = (text + decoder.decode(value, { stream: true })).split("\n\n");
        text = events.pop() ?? "";
        if (text.length > LONGEST) break;
        for (const event of events) {
          const data = event.match(/^data: ?(.*)/m)?.[1];
          if (!data || signal.aborted) continue;
          const message = JSON.parse(data);
          if (message.type === "welcome") beat = message.heartbeat * 2000;
          if (message.type === "closed") return fail(message.code, message.reason);
          hear({ ...message, id });
        }
      }
      fail();
    } catch {
      if (!signal.aborted) fail();
    } finally {
      clearTimeout(watchdog);
      if (!signal.aborted) end(id);
    }
  };

  return {
    close,
    wake() {},
    send(message) {
      if (message.op === "auth") token = message.token;
      if (message.op === "subscribe") follow(message);
      if (message.op === "unsubscribe") end(message.id);
    },
  };
}
