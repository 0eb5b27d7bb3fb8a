/**
 * The page at `/overlay`: a board and nothing behind it, to lie over a stream. Without a board it leads to where one is chosen.
 *
 * @module
 */

import { byId } from "../page/make.js";
import { directionOf } from "../widget/address.js";
import "../widget/live-leaderboard.js";
import { attributesOf, paintOf, read } from "./options.js";

const { documentElement: root } = document;
const widget = document.createElement("live-leaderboard");

/** @param {string} search as in the address */
function wear(search) {
  const options = read(search);
  root.dir = directionOf(search);
  for (const [name, value] of Object.entries(paintOf(options))) root.style.setProperty(name, value);
  const attributes = new Map(attributesOf(options));
  for (const { name } of [...widget.attributes]) if (!attributes.has(name)) widget.removeAttribute(name);
  for (const [name, value] of attributes) if (widget.getAttribute(name) !== value) widget.setAttribute(name, value);
}

if (read(location.search).board === "") {
  location.replace(`/overlay/build${location.search}`);
} else {
  wear(location.search);
  byId("place").append(widget);
  // The page that builds an address shows each change at once, in a frame of its own.
  addEventListener("message", ({ data, origin, source }) => {
    if (origin === location.origin && source === parent && typeof data === "string" && data.startsWith("?")) wear(data);
  });
}
