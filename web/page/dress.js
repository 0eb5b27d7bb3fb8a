/**
 * The theme, before anything is seen: small, as the first picture waits for it.
 *
 * @module
 */

import { read } from "./address.js";
import { put, remembered } from "./theme.js";

const { theme } = read(location.search);
put(theme === "system" ? remembered() : theme);
