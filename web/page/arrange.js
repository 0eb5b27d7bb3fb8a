/**
 * The order of rows in the page.
 *
 * @module
 */

/**
 * Bring the children into this order with few insertions, whether one climbs over many or drops below many.
 *
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} order
 */
export function arrange(parent, order) {
  let next = parent.firstElementChild;
  for (const element of order) {
    if (next === element) {
      next = next.nextElementSibling;
    } else if (next !== null && next.nextElementSibling === element) {
      // The row between dropped, and its turn comes further down.
      place(parent, next, null);
      next = element.nextElementSibling;
    } else {
      place(parent, element, next);
    }
  }
}

/**
 * Animations live on through `moveBefore` where there is one.
 *
 * @param {HTMLElement & {moveBefore?: (node: Node, child: Node | null) => void}} parent
 * @param {Element} element
 * @param {Element | null} before
 */
function place(parent, element, before) {
  if (parent.moveBefore && element.parentNode === parent) parent.moveBefore(element, before);
  else parent.insertBefore(element, before);
}
