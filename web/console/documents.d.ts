/** What the service answers, as far as the console shows it: as in openapi.json. */

import type { Entry } from "../client/index.d.ts";

export interface Process {
  id: string;
  address: string;
  started: string;
  seen: string;
  [number: string]: string | number | null;
}

export interface Status {
  at: string;
  node: string;
  database: "ok" | "away";
  ranking: "ok" | "away";
  outbox: { rows: number; age: number } | null;
  dead_letters: { rows: number; messages: number } | null;
  nodes: Process[];
  workers: Process[];
}

export interface ColumnDocument {
  name: string;
  direction: "asc" | "desc";
  decimals: number;
}

export interface BoardDocument {
  board: string;
  title: string;
  columns: ColumnDocument[];
  operator: "best" | "latest" | "sum";
  ranks: "competition" | "ordinal";
  writes: "server" | "player";
  public: boolean;
  minimum: unknown;
  maximum: unknown;
  season: number;
  revision: number;
}

export interface Ranked {
  board: string;
  total: number;
  stale?: boolean;
  entries: Entry[];
}

export interface DeadLetter {
  id: string;
  reason: string;
  at: string;
  rows: number[];
  size: number;
}

export interface Redriven {
  rows: number;
  moved: number;
  dropped: number;
}
