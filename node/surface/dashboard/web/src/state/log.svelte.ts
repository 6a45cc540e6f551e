// The log of one attempt as it grows: rows are gathered between two frames of the screen, never one by one.
import { stream } from "../api/stream";
import type { LogEntry } from "../api/types";
import { rowsOf, type Row } from "../words/agentlog";

/** Most rows that are held; older ones are let go, and the page says so. */
const MOST = 400_000;
const RETRY = 1_000;

export class Log {
  /** How many rows there are; what reads it is told of each batch. */
  length = $state(0);
  /** Rows that were let go. */
  dropped = $state(0);
  /** The attempt has ended and this is all. */
  isWhole = $state(false);
  /** The connection broke; it goes on where it was. */
  isBroken = $state(false);
  /** No answer yet. */
  isLoading = $state(true);
  #rows: Row[] = [];
  #entries: LogEntry[] = [];
  #next = 1;
  #raw: boolean;
  readonly #path: string;
  readonly #abort = new AbortController();
  #drawing = 0;
  #waiting: LogEntry[] = [];

  constructor(task: string, attempt: number, raw: boolean) {
    this.#path = `/v1/tasks/${encodeURIComponent(task)}/attempts/${attempt}/logs`;
    this.#raw = raw;
    void this.#run();
  }

  /** The rows; read `length` to be told when there are more. */
  get rows(): Row[] {
    return this.#rows;
  }

  close(): void {
    this.#abort.abort();
    cancelAnimationFrame(this.#drawing);
  }

  /** Shows lines as they came, or as a person reads them. */
  show(raw: boolean): void {
    if (raw === this.#raw) return;
    this.#raw = raw;
    this.#rows = this.#entries.flatMap((e) => rowsOf(e, raw));
    this.length = this.#rows.length;
  }

  async #run(): Promise<void> {
    const signal = this.#abort.signal;
    while (!signal.aborted && !this.isWhole) {
      try {
        await this.#read(signal);
      } catch {
        // Broken off or refused: tried again below.
      }
      if (signal.aborted || this.isWhole) return;
      this.isBroken = true;
      await new Promise((done) => setTimeout(done, RETRY));
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    for await (const frames of stream(`${this.#path}?from=${this.#next}&follow=true`, signal)) {
      this.isBroken = false;
      this.isLoading = false;
      for (const frame of frames) {
        if (frame.name === "end") this.isWhole = true;
        else if (frame.name === "line" || frame.name === "gap") this.#take(JSON.parse(frame.data) as LogEntry);
      }
      if (this.isWhole) return;
    }
  }

  #take(entry: LogEntry): void {
    // A line that came before the break is not shown twice.
    if (entry.n < this.#next) return;
    this.#next = entry.n + (entry.stream === "gap" ? Math.max(1, Number(entry.text) || 1) : 1);
    this.#waiting.push(entry);
    this.#drawing ||= requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#drawing = 0;
    const rows = this.#rows;
    for (const entry of this.#waiting) {
      this.#entries.push(entry);
      for (const row of rowsOf(entry, this.#raw)) rows.push(row);
    }
    this.#waiting = [];
    if (rows.length > MOST) {
      const over = rows.length - MOST;
      this.#rows = rows.slice(over);
      this.dropped += over;
    }
    this.length = this.#rows.length;
  }
}

/** Rows that contain `text`, by their place; letters of either case. */
export function find(rows: Row[], text: string): number[] {
  const wanted = text.toLowerCase();
  const found: number[] = [];
  if (!wanted) return found;
  for (let i = 0; i < rows.length; i++) {
    if (rows[i]?.text.toLowerCase().includes(wanted)) found.push(i);
  }
  return found;
}
