/**
 * Light, dark, or as the system has it.
 *
 * @module
 */

/** @typedef {import("./address.js").Theme} Theme */

/** @type {Theme[]} */
const TURN = ["system", "light", "dark"];
const KEY = "rankcast.theme";

/**
 * @param {Theme} theme
 * @returns {Theme} the one that the button leads to
 */
export const next = (theme) => TURN[(TURN.indexOf(theme) + 1) % TURN.length];

/** @returns {Theme} what was chosen here before */
export function remembered() {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** @param {Theme} theme */
export function remember(theme) {
  if (theme === "system") localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme);
}

/** @param {Theme} theme */
export function put(theme) {
  const { documentElement: root } = document;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

/**
 * @param {Theme} theme
 * @param {HTMLElement} button that tells it
 */
export function wear(theme, button) {
  put(theme);
  button.dataset.theme = theme;
  const words = { system: "as the system", light: "light", dark: "dark" };
  button.setAttribute("aria-label", `Theme: ${words[theme]}`);
  button.title = `Theme: ${words[theme]}`;
}
