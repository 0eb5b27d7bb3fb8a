/**
 * The service over REST, as whoever has the token.
 *
 * @module
 */

const TIMEOUT_MS = 10_000;

/** @typedef {import("./documents.d.ts").Status} Status */
/** @typedef {import("./documents.d.ts").BoardDocument} BoardDocument */
/** @typedef {import("./documents.d.ts").Ranked} Ranked */
/** @typedef {import("./documents.d.ts").DeadLetter} DeadLetter */
/** @typedef {import("./documents.d.ts").Redriven} Redriven */

/** What the service says when it does not do what was asked. `status` 0: it did not answer. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.code = code;
  }
}

export class Api {
  #token;
  #onRefused;

  /**
   * @param {string} token
   * @param {(problem: Problem) => void} onRefused the token is not taken
   */
  constructor(token, onRefused) {
    this.#token = token;
    this.#onRefused = onRefused;
  }

  /** @returns {Promise<Status>} */
  status = () => this.#ask("GET", "/v1/status");

  /** @returns {Promise<BoardDocument[]>} */
  boards = async () => (await this.#ask("GET", "/v1/boards")).boards;

  /**
   * @param {string} board
   * @param {unknown} document
   */
  putBoard = (board, document) => this.#ask("PUT", `/v1/boards/${encodeURIComponent(board)}`, document);

  /** @param {string} board */
  deleteBoard = (board) => this.#ask("DELETE", `/v1/boards/${encodeURIComponent(board)}`);

  /**
   * @param {string} board
   * @returns {Promise<Ranked>} who is on top
   */
  top = (board) => this.#ask("GET", `/v1/boards/${encodeURIComponent(board)}/top?limit=25`);

  /**
   * @param {string} board
   * @param {string} beginning of an id or a name
   * @returns {Promise<Ranked>}
   */
  find = (board, beginning) =>
    this.#ask("GET", `/v1/boards/${encodeURIComponent(board)}/players?limit=50&q=${encodeURIComponent(beginning)}`);

  /**
   * Take a player off a board, and wait until the ranking has done so.
   *
   * @param {string} board
   * @param {string} player
   */
  async remove(board, player) {
    const path = `/v1/boards/${encodeURIComponent(board)}`;
    const { seq } = await this.#ask("DELETE", `${path}/players/${encodeURIComponent(player)}`);
    // Removed it is, and ranked no more in a moment: a ranking that takes longer than is waited for comes right by itself.
    await this.#ask("POST", `${path}/ranks?after=${encodeURIComponent(player)}:${seq}`, { players: [player] }).catch(() => {});
  }

  /** @returns {Promise<DeadLetter[]>} */
  deadLetters = async () => (await this.#ask("GET", "/v1/dead-letters")).dead_letters;

  /** @returns {Promise<Redriven>} */
  redrive = () => this.#ask("POST", "/v1/dead-letters/redrive");

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   * @throws {Problem}
   */
  async #ask(method, path, body) {
    /** @type {Record<string, string>} */
    const headers = { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(path, {
        method,
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch {
      throw new Problem(0, "unreachable", "The service does not answer.");
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    throw await this.#problem(response);
  }

  /** @param {Response} response */
  async #problem(response) {
    const told = await response.json().catch(() => ({}));
    const problem = new Problem(response.status, String(told.code ?? "http_error"), said(response.status, told));
    if (response.status === 401 || response.status === 403) this.#onRefused(problem);
    return problem;
  }
}

/**
 * @param {number} status
 * @param {{detail?: string, title?: string}} told
 * @returns {string} a sentence
 */
function said(status, { detail, title }) {
  const text = detail || title || `The service answers ${status}`;
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
