/**
 * Elements, made without ever parsing anything.
 *
 * @module
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [name] its classes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, name = "", ...children) {
  const element = document.createElement(tag);
  if (name !== "") element.className = name;
  element.append(...children);
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} [attributes]
 * @returns {SVGElementTagNameMap[K]}
 */
export function draw(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id of an element that the page has
 */
export const byId = (id) => /** @type {T} */ (document.getElementById(id));

/**
 * @param {Element} element
 * @param {string} text written only where it is another one
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
