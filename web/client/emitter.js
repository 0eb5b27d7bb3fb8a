/** Whoever listens. @module */

export class Emitter {
  /** @type {Record<string, Set<(...told: any[]) => void>>} */
  #listeners = {};

  /**
   * @param {string} type
   * @param {(...told: any[]) => void} listener
   * @returns {() => void} ends it
   */
  on(type, listener) {
    const all = (this.#listeners[type] ??= new Set());
    const own = (/** @type {any[]} */ ...told) => listener(...told);
    all.add(own);
    return () => void all.delete(own);
  }

  /**
   * @param {string} type
   * @param {unknown[]} told
   */
  emit(type, ...told) {
    for (const listener of this.#listeners[type] ?? []) {
      try {
        listener(...told);
      } catch (error) {
        // A listener's defect is its own: it is reported, and the conversation goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
