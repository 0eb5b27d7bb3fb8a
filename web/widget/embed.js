/**
 * The page at `/embed`: one widget, by the options of the address, for frames in other pages.
 *
 * @module
 */

import { byId } from "../page/make.js";
import { attributesOf, directionOf } from "./address.js";
import "./live-leaderboard.js";

const { documentElement: root } = document;
root.dir = directionOf(location.search);

const widget = document.createElement("live-leaderboard");
for (const [name, value] of attributesOf(location.search)) widget.setAttribute(name, value);
const theme = widget.getAttribute("theme");
if (theme !== null) root.dataset.theme = theme;
byId("place").append(widget);
