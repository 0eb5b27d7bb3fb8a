/**
 * What the widget says in words. A page in another language sets its own: `element.words = { live: "En direct", … }`.
 *
 * @module
 */

/**
 * `{…}` is filled in: a name, a rank, a board, a time.
 *
 * @typedef {typeof ENGLISH} Words
 */
export const ENGLISH = {
  rank: "Rank",
  move: "Movement",
  player: "Player",
  you: "you",
  up: "up {by}",
  down: "down {by}",
  new: "new",
  players: "{total} players",
  onePlayer: "1 player",

  live: "Live",
  connecting: "Connecting",
  reconnecting: "Reconnecting",
  offline: "Offline",
  paused: "Paused since {time}",

  loading: "Loading the leaderboard",
  empty: "Nobody has scored yet",
  emptyMore: "The first score appears here by itself.",
  unranked: "Not ranked yet",
  unrankedMore: "The first score of {player} appears here by itself.",
  unreachable: "No answer yet",
  unreachableMore: "Still trying. Nothing needs to be done.",
  unknown: "There is no board “{board}”",
  unknownMore: "It may have another name, or it was taken down.",
  refused: "This board is private",
  refusedMore: "It is shown to those who may see it.",
  closed: "This board cannot be shown",
  closedMore: "The service has ended the connection.",
  unnamed: "No board is named",
  unnamedMore: "Say which one: board=\"…\"",

  leads: "{name} leads with {score}.",
  stands: "{name} is now at rank {rank}.",
  left: "{name} is not ranked any more.",
  lost: "The connection is lost. What is shown may be behind.",
  back: "The leaderboard is live again.",
};

/**
 * @param {string} sentence
 * @param {Record<string, string>} values
 */
export const fill = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (hole, name) => values[name] ?? hole);

/**
 * @param {import("./condition.js").Kind} kind
 * @param {string | null} reason of the topic
 * @returns {(keyof Words)[]} a heading and a sentence for what is shown in the rows' place; nothing where there are rows
 */
export function noticeOf(kind, reason) {
  if (kind === "empty" || kind === "unranked" || kind === "unreachable" || kind === "unnamed") return [kind, `${kind}More`];
  if (kind !== "refused") return [];
  if (reason === "board_unknown") return ["unknown", "unknownMore"];
  return reason === "forbidden" || reason === "unauthenticated" ? ["refused", "refusedMore"] : ["closed", "closedMore"];
}

/**
 * @param {import("./condition.js").Kind} kind
 * @param {boolean} online what the browser knows of the network
 * @returns {keyof Words | null} what stands beside the light; null: there is none
 */
export function lightOf(kind, online) {
  if (kind === "refused" || kind === "unnamed") return null;
  if (!online && kind !== "live") return "offline";
  if (kind === "loading") return "connecting";
  if (kind === "offline" || kind === "unreachable") return "reconnecting";
  return kind === "stale" ? "paused" : "live";
}
