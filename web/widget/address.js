/**
 * The widget's attributes in an address: `/embed?board=arcade&limit=5&theme=dark`. Pure.
 *
 * @module
 */

import { ATTRIBUTES } from "./options.js";

/** A frame shows boards of its own service only: its policy lets it ask nobody else. */
const TAKEN = ATTRIBUTES.filter((name) => name !== "src");

/** Scripts that are written from right to left. */
const TO_THE_LEFT = /^(ar|arc|ckb|dv|fa|he|ks|ku|nqo|ps|sd|ug|ur|yi)\b/;

/**
 * @param {string} search the part of the address from its question mark on
 * @returns {[string, string][]} attributes; a switch is on as `quiet` or `quiet=1`, off as `quiet=0` or not at all
 */
export function attributesOf(search) {
  const query = new URLSearchParams(search);
  return TAKEN.flatMap((name) => {
    const value = query.get(name);
    const off = (name === "selectable" || name === "quiet") && /^(0|false|no)$/i.test(value ?? "");
    return value === null || off ? [] : [/** @type {[string, string]} */ ([name, value])];
  });
}

/**
 * @param {string} search
 * @returns {"ltr" | "rtl"} as `dir` says, else as the locale is written
 */
export function directionOf(search) {
  const query = new URLSearchParams(search);
  const said = query.get("dir");
  if (said === "rtl" || said === "ltr") return said;
  return TO_THE_LEFT.test(query.get("locale") ?? "") ? "rtl" : "ltr";
}
