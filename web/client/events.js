/**
 * The same conversation by server-sent events: a request for each topic, by fetch, as an EventSource takes no token.
 *
 * @module
 */

/** Until a node answers. */
export const ANSWER_MS = 10_000;
/** Characters of an event. */
const LONGEST = 4e6;
const LONGEST_RETRY_S = 60;

/** @type {import("./inside.js").Open} */
export const openEvents = (url, fetch, { hear, lost }) => {
  /** @type {Map<number, AbortController>} */
  const streams = new Map();
  let token = "";
  const end = (/** @type {number} */ id) => {
    streams.get(id)?.abort();
    streams.delete(id);
  };

  const ask = async (/** @type {any} */ { op, id, board, resume, ...view }) => {
    end(id);
    const stream = new AbortController();
    const { signal } = stream;
    streams.set(id, stream);
    const headers = new Headers({ Accept: "text/event-stream" });
    if (token) headers.set("Authorization", `Bearer ${token}`);
    if (resume) headers.set("Last-Event-ID", `${resume.epoch}-${resume.version}`);
    const path = `${url}/v1/boards/${encodeURIComponent(board)}/live?${new URLSearchParams(view)}`;
    const asked = performance.now();
    // Each has a watchdog of its own, as each may be with another node.
    /** @type {any} */
    let watchdog;
    let beat = ANSWER_MS;
    const fail = (code = 1006, reason = "", wait = 0) => signal.aborted || lost(code, reason, wait);
    const expect = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(fail, beat);
    };
    try {
      expect();
      const answer = await fetch(path, { headers, signal, cache: "no-store" });
      if (answer.status >= 500 || answer.status === 429) {
        return fail(1006, "", Math.min(LONGEST_RETRY_S, Number(answer.headers.get("Retry-After"))) * 1000);
      }
      if (!answer.ok) return hear({ ...(await answer.json()), type: "error", id });
      hear({ type: "pong", after: performance.now() - asked });
      for await (const event of eventsOf(answer, expect)) {
        if (signal.aborted) return;
        const message = JSON.parse(event);
        if (message.type === "welcome") beat = message.heartbeat * 2000;
        if (message.type === "closed") fail(message.code, message.reason);
        else hear({ ...message, id });
      }
      fail();
    } catch {
      fail();
    } finally {
      clearTimeout(watchdog);
    }
  };

  return {
    close: () => [...streams.keys()].forEach(end),
    send(message) {
      if (message.op === "auth") token = message.token;
      if (message.op === "subscribe") ask(message);
      if (message.op === "unsubscribe") end(message.id);
    },
  };
};

/** @param {any} answer @param {() => void} heard called for comments, too */
async function* eventsOf(answer, heard) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; text.length < LONGEST; ) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const events = (text + value).split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const data = /^data: ?(.*)/m.exec(event);
      if (data) yield data[1];
    }
  }
}
