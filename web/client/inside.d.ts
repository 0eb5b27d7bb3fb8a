/** What the parts of the client tell each other. */

import type { Topic } from "./topic.js";

/** An open conversation. Once it was closed it is silent. */
export interface Link {
  /** `auth`, `subscribe`, `unsubscribe` and `ping`, as in asyncapi.json. By events `unsubscribe` names the `id` of what was asked. */
  send(message: Record<string, any>): void;
  close(): void;
  /** Milliseconds that what is asked for now may wait for its turn; none if not said. */
  readonly wait?: number;
}

/** What is asked for by events. */
export interface Stream {
  readonly message: any;
  /** Of the last event; from there another leads on. */
  mark?: string;
  /** It is open, and as new as the board. */
  told?: unknown;
  /** Ends it; not there: it has yet to be opened. */
  stop?: AbortController;
}

export interface Ears {
  /**
   * A message of the node, as in asyncapi.json. By events it carries the `id` of what asked for it. `after` of a `pong`:
   * milliseconds since the question. Throws for what cannot be read: then the conversation is lost.
   */
  hear(message: any): void;
  /**
   * It is to be closed, or has ended by itself. `code` as of a WebSocket, 1006 if not said; `wait`: milliseconds that the node asks
   * us to stay away.
   */
  lost(code?: number, reason?: string, wait?: number): void;
}

/** `way` is a WebSocket's constructor, or a fetch. May throw where a WebSocket cannot be made. */
export type Open = (url: string, way: any, ears: Ears) => Link;

/** What is asked for once, whatever the number of those who look. */
export interface Watch {
  readonly id: number;
  /** As text, to tell whether another wants the same. */
  readonly wish: string;
  readonly request: Record<string, unknown>;
  readonly topics: Set<Topic>;
  /** As the node named it on this connection. */
  topic?: string;
  /** A board or a standing. */
  held?: any;
  /** `held` is what a node told, to the last version that came: the next can lead on from it. */
  inStep?: boolean;
  /** This connection has proved `held`. */
  proved?: boolean;
  /** It is asked for, or about to be: what comes before the answer is of no use. */
  waits: boolean;
  /** The node owes an answer, and may be making a topic whose name is not known yet. */
  asked?: boolean;
  /** What the service says of it. */
  reason: string | null;
  /** Refusals in a row that pass. */
  attempt: number;
  /** Until when a node may be behind what was shown; 0: it is not. */
  patience: number;
  timer?: ReturnType<typeof setTimeout>;
}
