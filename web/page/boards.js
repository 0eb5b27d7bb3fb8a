/**
 * The boards of the service, over REST.
 *
 * @module
 */

const TIMEOUT_MS = 8000;

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {"asc" | "desc"} direction
 * @property {number} [decimals]
 */

/**
 * @typedef {object} Board
 * @property {string} board
 * @property {string} [title]
 * @property {Column[]} columns
 * @property {string} ranks
 */

/**
 * @returns {Promise<Board[]>}
 * @throws {Error} when the node does not answer
 */
export async function listBoards() {
  const response = await ask("/v1/boards");
  if (!response.ok) throw new Error(`the boards could not be listed: ${response.status}`);
  return (await response.json()).boards;
}

/**
 * @param {string} board
 * @param {string} [service] where it is, without a slash at the end; the page's own if not said
 * @param {string | null} [token] for a board that is not public
 * @returns {Promise<Board | null>} null when there is no such board for who asks
 * @throws {Error} when the node does not answer
 */
export async function getBoard(board, service = "", token = null) {
  /** @type {Record<string, string>} */
  const headers = { accept: "application/json", ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  const response = await ask(`${service}/v1/boards/${encodeURIComponent(board)}`, { headers });
  if (response.ok) return { board, ...(await response.json()) };
  if (response.status < 500) return null;
  throw new Error(`the board could not be read: ${response.status}`);
}

/**
 * @param {string} board
 * @param {number} offset
 * @param {number} limit up to 1,000
 * @returns {Promise<import("../client/index.d.ts").Entry[]>}
 * @throws {Error} when the node does not answer
 */
export async function getStretch(board, offset, limit) {
  const response = await ask(`/v1/boards/${encodeURIComponent(board)}/top?limit=${limit}&offset=${offset}`);
  if (!response.ok) throw new Error(`the board could not be read: ${response.status}`);
  return (await response.json()).entries;
}

/**
 * @param {string} board
 * @param {string} player
 * @returns {Promise<import("../client/index.d.ts").Entry | null>} null when the player is not ranked there
 * @throws {Error} when the node does not answer
 */
export async function getPlayer(board, player) {
  // Not by the player's own address: that answers 404 for whoever is not ranked, and the browser notes an error.
  const body = JSON.stringify({ players: [player] });
  const response = await ask(`/v1/boards/${encodeURIComponent(board)}/ranks`, { method: "POST", body });
  if (!response.ok) throw new Error(`the player could not be read: ${response.status}`);
  const [found] = (await response.json()).entries;
  return found?.seq === undefined ? null : found;
}

/**
 * @param {string} board
 * @param {string} player
 * @returns {Promise<{seq: import("../client/index.d.ts").Int, age_ms: number}>} of the player's entry, in milliseconds
 * @throws {Error} when the node does not answer, or the player is not ranked
 */
export async function getAge(board, player) {
  const response = await ask(`/v1/boards/${encodeURIComponent(board)}/players/${encodeURIComponent(player)}/age`);
  if (!response.ok) throw new Error(`the age could not be read: ${response.status}`);
  return response.json();
}

/**
 * @param {string} path
 * @param {RequestInit} [request]
 */
const ask = (path, request) =>
  fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: "application/json", "content-type": "application/json" }, ...request });
