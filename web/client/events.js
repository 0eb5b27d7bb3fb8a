/** By server-sent events: by fetch, as an EventSource takes no token. @module */

/** Until a node answers. */
export const ANSWER_MS = 10_000;
/** Characters of an event. */
const LONGEST = 4e6;
const LONGEST_RETRY_S = 60;

/** Over HTTP/1.1 a browser has six connections to a host: what is more takes turns. HTTP/2 has room. */
export const FEW = 4;
export const TURN_MS = 500;

/** @type {import("./inside.js").Open} */
export const openEvents = (url, fetch, { hear, lost }) => {
  /** @type {Map<number, import("./inside.js").Stream>} in the order of their turns */
  const streams = new Map();
  const roomy = (/** @type {any} */ one) => one.name.startsWith(`${url}/`) && /^h[23]/.test(one.nextHopProtocol);
  let most = !globalThis.location || performance.getEntriesByType("resource").some(roomy) ? Infinity : FEW;
  let token = "";
  const waiting = () => [...streams.values()].filter(({ stop }) => !stop);
  const want = (/** @type {any} */ message, mark = "") => {
    end(message.id);
    streams.set(message.id, { message, mark });
    next();
  };
  const end = (/** @type {number} */ id) => {
    streams.get(id)?.stop?.abort();
    streams.delete(id);
    next();
  };
  const next = () => {
    const [first] = waiting();
    if (!first || streams.size - waiting().length >= most) return;
    ask(first);
    next();
  };
  const turns = setInterval(() => {
    const stream = [...streams.values()].find(({ told }) => told);
    if (stream && waiting().length) want(stream.message, stream.mark);
  }, TURN_MS);

  const ask = async (/** @type {import("./inside.js").Stream} */ stream) => {
    const { op, id, board, resume, ...view } = stream.message;
    stream.stop = new AbortController();
    const { signal } = stream.stop;
    const headers = new Headers({ Accept: "text/event-stream" });
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const mark = stream.mark || (resume && `${resume.epoch}-${resume.version}`);
    if (mark) headers.set("Last-Event-ID", mark);
    const path = `${url}/v1/boards/${encodeURIComponent(board)}/live?${new URLSearchParams(view)}`;
    const asked = performance.now();
    // Each may be with another node.
    /** @type {any} */
    let watchdog;
    let beat = ANSWER_MS;
    const fail = (code = 1006, reason = "", wait = 0) => signal.aborted || lost(code, reason, wait);
    const stall = () => {
      // Pages share the room.
      if (most > FEW || stream.told || ![...streams.values()].some(({ told }) => told)) return fail();
      most = Math.max(1, most - 1);
      want(stream.message, stream.mark);
    };
    const expect = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(stall, beat);
    };
    try {
      expect();
      const answer = await fetch(path, { headers, signal, cache: "no-store" });
      if (answer.status >= 500 || answer.status === 429) {
        return fail(1006, "", Math.min(LONGEST_RETRY_S, Number(answer.headers.get("Retry-After"))) * 1000);
      }
      if (!answer.ok) {
        const { code, detail } = await answer.json();
        end(id);
        return hear({ type: "error", id, code, message: detail });
      }
      hear({ type: "pong", after: performance.now() - asked });
      for await (const event of eventsOf(answer, expect)) {
        if (signal.aborted) return;
        const message = JSON.parse(event.data);
        if (message.type === "welcome") beat = message.heartbeat * 2000;
        if (message.type === "closed") fail(message.code, message.reason);
        else hear({ ...message, id });
        stream.mark = event.id ?? stream.mark;
        stream.told ||= event.id || message.mode === "resumed";
      }
      fail();
    } catch {
      fail();
    } finally {
      clearTimeout(watchdog);
    }
  };

  return {
    get wait() {
      return most > FEW ? 0 : (streams.size + 1) * ANSWER_MS;
    },
    close() {
      clearInterval(turns);
      for (const { stop } of streams.values()) stop?.abort();
      streams.clear();
    },
    send(message) {
      if (message.op === "auth") token = message.token;
      if (message.op === "subscribe") want(message);
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
      const [, id, data] = /^(?:id: ?(.*)\n)?data: ?(.*)/m.exec(event) ?? [];
      if (data) yield { id, data };
    }
  }
}
