/**
 * Sheets that open below the button they belong to.
 *
 * @module
 */

const GAP = 8;
const EDGE = 12;

/**
 * @param {HTMLElement} sheet a popover
 * @param {HTMLElement} button that opens it
 */
export function anchor(sheet, button) {
  sheet.addEventListener("beforetoggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState !== "open") return;
    const { left, right, bottom } = button.getBoundingClientRect();
    sheet.style.setProperty("inset", "auto");
    sheet.style.setProperty("top", `${bottom + GAP}px`);
    // It opens towards the middle of the screen.
    if (left + right < innerWidth) sheet.style.setProperty("left", `${Math.max(EDGE, left)}px`);
    else sheet.style.setProperty("right", `${Math.max(EDGE, document.documentElement.clientWidth - right)}px`);
  });
}
