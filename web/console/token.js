/**
 * The token of whoever runs the service: kept for this tab alone, sent in a header, never in an address. Pure but for the store.
 *
 * @module
 */

const KEY = "rankcast.console.token";

/** @param {Storage} [store] */
export const kept = (store = sessionStorage) => store.getItem(KEY);

/**
 * @param {string} token
 * @param {Storage} [store]
 */
export const keep = (token, store = sessionStorage) => store.setItem(KEY, token);

/** @param {Storage} [store] */
export const forget = (store = sessionStorage) => store.removeItem(KEY);

/**
 * @param {string} pasted
 * @returns {string | null} what can stand in a header; null: it is no token
 */
export function tokenIn(pasted) {
  const text = pasted.trim().replace(/^(authorization:\s*)?bearer\s+/i, "");
  return /^[A-Za-z0-9._~+/-]+=*$/.test(text) ? text : null;
}

/**
 * What the token says of itself. Whether it is true, the service knows.
 *
 * @param {string} token
 * @returns {{subject: string, ends: number | null}} `ends` in milliseconds
 */
export function claims(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const told = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (one) => one.charCodeAt(0))));
    return { subject: String(told.username ?? told.sub ?? ""), ends: Number.isFinite(told.exp) ? told.exp * 1000 : null };
  } catch {
    return { subject: "", ends: null };
  }
}
