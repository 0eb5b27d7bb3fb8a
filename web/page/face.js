/**
 * The round picture of a player, or the initials that stand in for it.
 *
 * @module
 */

import { displayName, initials, pictureAddress, tintOf } from "./format.js";
import { make } from "./make.js";

export class Face {
  element = make("span", "avatar");
  #shown = "";
  #base;

  /** @param {string} base what a picture's address is relative to */
  constructor(base = document.baseURI) {
    this.#base = base;
    this.element.setAttribute("aria-hidden", "true");
  }

  /** @param {{player: string, name?: string | null, picture?: string | null}} who */
  show(who) {
    const shown = JSON.stringify([who.player, who.name, who.picture]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.className = `avatar tint-${tintOf(who.player)}`;
    this.element.textContent = initials(displayName(who));
    const address = pictureAddress(who.picture, this.#base);
    if (address === null) return;
    const picture = new Image();
    picture.alt = "";
    picture.decoding = "async";
    // The initials stay until the picture is really there, and for good if it never comes.
    picture.onload = () => {
      if (this.#shown !== shown) return;
      this.element.replaceChildren(picture);
      this.element.classList.add("pictured");
    };
    picture.src = address;
  }
}
