/**
 * Boards as they change: a client of a Rankcast service for browsers, workers and Node.
 *
 *     import { connect } from "rankcast";
 *
 *     const live = connect("https://scores.example", { token: () => myToken() });
 *     const top = live.top("arcade", { limit: 10 });
 *     for await (const board of top) console.log(board.version, board.entries);
 *
 * One connection carries everything that is watched: a WebSocket, or server-sent events where that does not get through. It
 * comes back by itself and leads on from the version that is held. Whatever is handed out is one version of the board, each
 * newer than the one before: never a mixture, never a guess.
 */

/** An int64 as the wire carries it: a number within ±(2^53−1), a string of digits beyond. */
export type Int = number | string;

/** competition: 1 2 2 4; ordinal: 1 2 3 4. */
export type RankMode = "competition" | "ordinal";

/** One row of a list. `score` is a list where the board has several columns. Names are plain text: never take them for HTML. */
export interface Entry {
  readonly rank: number;
  readonly player: string;
  readonly name?: string | null;
  /** An address, maybe relative: resolve it against `Live.url`. */
  readonly picture?: string | null;
  /** Two letters, as in ISO 3166. */
  readonly country?: string | null;
  readonly score: Int | readonly Int[];
  readonly seq: Int;
}

interface Version {
  /** `<board>/top/<limit>`, `<board>/player/<player>` or `<board>/around/<player>/<radius>`. */
  readonly topic: string;
  readonly epoch: number;
  readonly version: number;
  /** Unix seconds since when the ranking is away and this may be behind; null: it is not. */
  readonly asOf: number | null;
}

/** A list at one version. It is never changed in place, and an entry that did not change stays the same object. */
export interface Board extends Version {
  /** Players on the whole board. */
  readonly total: number;
  readonly ranks: RankMode;
  /** The place of the first row on the board, from 0; null, with no rows, around a player who is not ranked. */
  readonly position: number | null;
  /** The rank of the first row; null as `position` is. */
  readonly first: number | null;
  readonly entries: readonly Entry[];
}

/** Where one player stands at one version. Rank, position, score and seq are null while the player is not ranked. */
export interface Standing extends Version {
  readonly player: string;
  /** Players on the whole board. */
  readonly of: number;
  readonly rank: number | null;
  /** From 0. */
  readonly position: number | null;
  readonly score: Int | readonly Int[] | null;
  readonly seq: Int | null;
  /** Ranks won since the state before; negative: lost. */
  readonly moved: number;
  /** Who came past since then, the nearest first, three at the most. */
  readonly passed_by: readonly string[];
}

/**
 * connecting: nothing was heard yet; live: what is shown is what is; stale: it may be behind; offline: the connection is lost
 * and coming back; closed: it will not come back.
 */
export type Status = "connecting" | "live" | "stale" | "offline" | "closed";

/** Ends what was registered. */
export type Off = () => void;

/** What a topic's message may be: as in the service's asyncapi.json. */
export type Message = Snapshot | Delta | Check | Rank | Notice;

export interface Snapshot {
  type: "snapshot";
  topic: string;
  epoch: number;
  version: number;
  total: number;
  ranks: RankMode;
  limit?: number;
  position?: number | null;
  entries: Entry[];
}

/** Whole top-level fields; null is a value. */
export type Patch = Partial<Omit<Entry, "rank" | "player">>;

/** Each acts on the list as the one before left it. */
export type Op = ["out", number] | ["in", number, Omit<Entry, "rank">] | ["move", number, number, Patch] | ["set", number, Patch];

export interface Delta {
  type: "delta";
  topic: string;
  epoch: number;
  from: number;
  to: number;
  total: number;
  position?: number | null;
  rank?: number | null;
  ops: Op[];
}

export interface Check {
  type: "check";
  topic: string;
  epoch: number;
  version: number;
  total: number;
  crc: number;
  position?: number | null;
  rank?: number | null;
}

export interface Rank extends Omit<Standing, "player" | "asOf"> {
  type: "rank";
  from: number;
}

/** The ranking is away, or back. */
export interface Notice {
  type: "stale" | "fresh";
  topic: string;
  as_of?: number;
}

/** Something that is watched. Leaving a `for await` loop over it closes it. */
export interface Topic<S extends Board | Standing> extends AsyncIterable<S> {
  /** The newest; null until the first has come. */
  readonly state: S | null;
  readonly status: Status;
  /**
   * Why it is so, where there is something to say: `ranking_away` or `resync` (stale), the code of an error of the service
   * (connecting, closed), what the connection was closed with (offline, closed).
   */
  readonly reason: string | null;
  /**
   * Each state from now on, and the present one soon, with the type of the message that led to it (or `resumed`) and the
   * state before. Whoever iterates instead, and is slow, gets the newest only.
   */
  on(type: "state", listener: (state: S, cause: string, before: S | null) => void): Off;
  on(type: "status", listener: (status: Status, reason: string | null) => void): Off;
  /** Each message of the node, as it came, once it was found to follow. The state has it in already. */
  on(type: "event", listener: (message: Message) => void): Off;
  /** Watch no longer. Loops over it end. */
  close(): void;
}

/** How good the connection is, and how often what had to be done. */
export interface Quality {
  /** null: there is no connection. */
  readonly transport: "websocket" | "events" | null;
  /** Milliseconds there and back, measured last; null: not measured yet. */
  readonly latency: number | null;
  /** Connections after the first. */
  readonly reconnects: number;
  /** Subscriptions that were led on from the version held, and those told afresh. */
  readonly resumed: number;
  readonly snapshots: number;
  /** Messages that did not follow from what was held, and checks that found it wrong. */
  readonly outOfStep: number;
}

/** The connection. */
export interface Live {
  /** Where the service is, without a slash at the end. */
  readonly url: string;
  /** Never stale: topics are. */
  readonly status: Status;
  /** The close code's text, or the error's code. */
  readonly reason: string | null;
  readonly quality: Quality;
  /** The best `limit` (10, 25, 50 or 100; 10 if not said) of a board. */
  top(board: string, options?: { limit?: number }): Topic<Board>;
  /** Where a player stands; whom the token names if not said. */
  player(board: string, player?: string): Topic<Standing>;
  /** A player and up to `radius` (1 to 10; 5 if not said) neighbours on either side. */
  around(board: string, player?: string, options?: { radius?: number }): Topic<Board>;
  on(type: "status", listener: (status: Status, reason: string | null) => void): Off;
  /** `quality` has changed. */
  on(type: "quality", listener: (quality: Quality) => void): Off;
  /** Make sure of everything now, and connect now if need be. Pages that come back into sight do so by themselves. */
  wake(): void;
  /** End the connection and everything watched over it. */
  close(): void;
}

/**
 * A token; or a function that is asked for one on each connection, and for the next one before the last ends. It may come
 * without (null). If it fails it is asked again later.
 */
export type Token = string | (() => string | null | undefined | Promise<string | null | undefined>);

export interface Options {
  /** Needed for boards that are not public, and for one's own place. */
  token?: Token | null;
  /** Where there is none, or another is wanted; null: server-sent events only. */
  WebSocket?: (new (url: string, protocol: string) => WebSocketLike) | null;
  fetch?: typeof fetch;
}

/** As much of a WebSocket as is used. */
export interface WebSocketLike {
  readonly readyState: number;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(text: string): void;
  close(code?: number): void;
}

/**
 * Watch boards of the service at `url` (http, https, ws or wss; the page's own if not said). Nothing is awaited: a service that is
 * not there yet is tried again until it is. Throws TypeError for what is no address.
 */
export function connect(url?: string | URL, options?: Options): Live;

/** What a loop over a topic ends with when the service refuses it. `message` is what the node said of it: "there is no board 'arcade'". */
export class LiveError extends Error {
  constructor(code: string, message?: string);
  readonly name: "WatchRefused";
  /** Stable: `board_unknown`, `field_invalid`, `forbidden`, `unauthenticated`, …; of a connection that was closed, what it was closed with. */
  readonly code: string;
}
