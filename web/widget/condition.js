/**
 * What is to be shown, of all that can be the case. Pure.
 *
 * @module
 */

/** @typedef {import("../client/index.d.ts").Board} Board */
/** @typedef {import("../client/index.d.ts").Status} Status */

/**
 * loading: nothing has come yet; live; empty: nobody is ranked; unranked: the player is not; stale: it may be behind; offline: the
 * connection is lost and coming back; unreachable: as offline, and nothing has ever come; refused: the service does not show it;
 * unnamed: no board is named.
 *
 * @typedef {"loading" | "live" | "empty" | "unranked" | "stale" | "offline" | "unreachable" | "refused" | "unnamed"} Kind
 */

/**
 * @param {object} known
 * @param {string | null} known.board
 * @param {Status} known.status of the topic
 * @param {string | null} known.reason
 * @param {Board | null} known.state
 * @param {boolean} known.described the board's columns are known, or will not be
 * @returns {Kind}
 */
export function kindOf({ board, status, reason, state, described }) {
  if (board === null) return "unnamed";
  if (status === "closed") return "refused";
  // A check that is under way is no news to anybody.
  const behind = status === "stale" && reason === "ranking_away";
  if (state === null || !described) {
    if (status === "offline" && state === null) return "unreachable";
    return status === "connecting" && reason !== null ? "unreachable" : "loading";
  }
  if (status === "offline") return "offline";
  if (behind) return "stale";
  if (state.entries.length > 0) return "live";
  return state.position === null && state.total > 0 ? "unranked" : "empty";
}

/** @param {Kind} kind @returns {boolean} there are rows to look at */
export const showsRows = (kind) => kind === "live" || kind === "stale" || kind === "offline";
