/**
 * One connection for all widgets of a page that look at the same service with the same token.
 *
 * @module
 */

import { connect } from "../client/live.js";

/** @typedef {import("../client/index.d.ts").Live} Live */
/** @typedef {import("../client/index.d.ts").Token} Token */
/** @typedef {{service: string, token: Token | null, live: Live, users: number}} Shared */

/** A widget that is moved within its page is out of it for a moment. */
const LINGER_MS = 1_000;

/** @type {Set<Shared>} */
const open = new Set();

/**
 * @param {string} service
 * @param {Token | null} token
 * @returns {{live: Live, release: () => void}} `release` once
 */
export function borrow(service, token) {
  // One that has ended does not come back: whoever asks anew gets a new one.
  const same = [...open].find((one) => one.service === service && one.token === token && one.live.status !== "closed");
  const shared = same ?? { service, token, live: connect(service, { token }), users: 0 };
  open.add(shared);
  shared.users += 1;
  return { live: shared.live, release: () => void setTimeout(() => giveBack(shared), LINGER_MS) };
}

/** @param {Shared} shared */
function giveBack(shared) {
  shared.users -= 1;
  if (shared.users > 0) return;
  open.delete(shared);
  shared.live.close();
}
