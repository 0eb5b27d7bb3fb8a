/**
 * Who the one is who looks, as they said it in this browser.
 *
 * @module
 */

const KEY = "rankcast.me";

/** @returns {string | null} a player's id */
export const me = () => localStorage.getItem(KEY);

/** @param {string | null} player */
export function beMe(player) {
  if (player === null) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, player);
}
