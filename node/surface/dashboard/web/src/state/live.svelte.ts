// What the node knows, kept up to date: a snapshot, then its events. An event names a task; that task and those
// that wait for it are read again, many at once as one. When nothing comes any more, the pages say how old they are.
import { Failure, get } from "../api/call";
import { stream, type Frame } from "../api/stream";
import type { Happening, Node, Project, Snapshot, Task } from "../api/types";
import { byId } from "../words/task";
import { session } from "./session.svelte";

type Link = "loading" | "live" | "away";

/** Events that are remembered for the page. */
const RECENT = 200;
/** Events from before the page was opened that are shown. */
const LATELY = 30;
/** Events come in bursts; what they touch is read this much later, once. */
const GATHER = 120;
/** More tasks than this at once are read as a whole, and more than this part of all of them. */
const MANY = 24;
const PART = 1 / 40;
/** Tasks that are read at a time; each request holds the page up for a moment. */
const LANES = 4;
/** What nobody tells of (capacity, tasks other nodes own) is read this often. */
const REFRESH = 5_000;
const HIDDEN_REFRESH = 60_000;
const RETRY = [500, 1_000, 2_000, 4_000, 8_000];

class Live {
  link = $state<Link>("loading");
  /** When the node was last heard, by this machine's clock. */
  heard = $state(0);
  /** When the next try is, while it is away. */
  retryAt = $state(0);
  /** The node that answers. */
  node = $state("");
  // Replaced as a whole and never changed inside: thousands of tasks need no proxy each. In the order of their ids.
  tasks = $state.raw(new Map<string, Task>());
  nodes = $state.raw<Node[]>([]);
  projects = $state.raw<Project[]>([]);
  /** The newest events, last first. */
  recent = $state.raw<Happening[]>([]);
}

export const live = new Live();

let cursor = "";
/** Events up to this one are in the snapshot already. */
let included = "";
let running: AbortController | null = null;
let tries = 0;
const dirty = new Set<string>();
let gathering = 0;

function heard(): void {
  live.heard = Date.now();
}

/** Begins, and goes on until the session ends. */
export function begin(): void {
  running?.abort();
  running = new AbortController();
  tries = 0;
  void run(running.signal);
}

export function end(): void {
  running?.abort();
  running = null;
}

/** Tries again now. */
export function retry(): void {
  begin();
}

async function run(signal: AbortSignal): Promise<void> {
  while (!signal.aborted && session.state === "in") {
    try {
      await readAll(signal);
      await follow(signal);
    } catch (error) {
      if (error instanceof Failure && error.status === 401) return;
    }
    if (signal.aborted) return;
    await pause(signal);
  }
}

/** A stream that ended while the page is hidden is not a loss; otherwise wait a little longer each time. */
async function pause(signal: AbortSignal): Promise<void> {
  if (document.hidden) return until(signal, HIDDEN_REFRESH, true);
  const wait = RETRY[Math.min(tries++, RETRY.length - 1)] ?? 1_000;
  if (tries > 1) live.link = "away";
  live.retryAt = Date.now() + wait;
  return until(signal, wait, false);
}

function until(signal: AbortSignal, wait: number, endsWhenSeen: boolean): Promise<void> {
  return new Promise((done) => {
    const seen = () => !document.hidden && finish();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      document.removeEventListener("visibilitychange", seen);
      done();
    };
    const timer = setTimeout(finish, wait);
    signal.addEventListener("abort", finish);
    if (endsWhenSeen) document.addEventListener("visibilitychange", seen);
  });
}

/** A few events earlier, so that the page can tell what happened lately. */
function somewhatBefore(at: string): string {
  const [epoch, seq] = at.split(".");
  return `${epoch}.${Math.max(0, Number(seq) - LATELY)}`;
}

const isLater = (a: string, b: string): boolean => a.split(".")[0] !== b.split(".")[0] || Number(a.split(".")[1]) > Number(b.split(".")[1]);

async function readAll(signal: AbortSignal): Promise<void> {
  const snapshot = await get<Snapshot>("/v1/snapshot", signal);
  live.tasks = inOrder(snapshot.tasks);
  live.nodes = snapshot.nodes;
  live.projects = snapshot.projects ?? [];
  live.node = snapshot.node;
  cursor = live.recent.length ? snapshot.cursor : somewhatBefore(snapshot.cursor);
  included = snapshot.cursor;
  dirty.clear();
  tries = 0;
  live.link = "live";
  heard();
}

/** Follows the events until they break. A hidden page lets go of its connection: a browser has only six. */
async function follow(signal: AbortSignal): Promise<void> {
  const own = new AbortController();
  const stop = () => own.abort();
  const hidden = () => document.hidden && setTimeout(() => document.hidden && stop(), 10_000);
  signal.addEventListener("abort", stop);
  document.addEventListener("visibilitychange", hidden);
  const refreshing = setInterval(() => void refresh(own.signal), REFRESH);
  try {
    const path = `/v1/events?cursor=${encodeURIComponent(cursor)}`;
    for await (const frames of stream(path, own.signal)) {
      heard();
      for (const frame of frames) take(frame);
    }
  } finally {
    clearInterval(refreshing);
    signal.removeEventListener("abort", stop);
    document.removeEventListener("visibilitychange", hidden);
  }
}

function take(frame: Frame): void {
  if (frame.name === "resync" || frame.name === "gap") {
    void readAll(running?.signal ?? AbortSignal.abort()).catch(() => {});
  } else if (frame.name === "event") {
    const event = JSON.parse(frame.data) as Happening;
    cursor = event.cursor;
    live.recent = [event, ...live.recent].slice(0, RECENT);
    if (isLater(event.cursor, included)) touch(event.task);
  }
}

/** Has a task read again soon. */
export function touch(task: string): void {
  dirty.add(task);
  gathering ||= window.setTimeout(() => void gather(), GATHER);
}

/** Reads what was touched; one reading at a time, so that a burst makes readings larger and not more. */
async function gather(): Promise<void> {
  const wanted = new Set(dirty);
  dirty.clear();
  for (const task of live.tasks.values()) {
    if (task.dependsOn.some((id) => wanted.has(id))) wanted.add(task.id);
  }
  try {
    await readAgain(wanted, running?.signal ?? AbortSignal.abort());
    heard();
  } catch {
    // The stream tells when the node is away; what was not read is read with the next snapshot.
  } finally {
    gathering = dirty.size ? window.setTimeout(() => void gather(), GATHER) : 0;
  }
}

async function readAgain(wanted: Set<string>, signal: AbortSignal): Promise<void> {
  if (wanted.size > Math.max(MANY, live.tasks.size * PART)) {
    const snapshot = await get<Snapshot>("/v1/snapshot", signal);
    put(snapshot.tasks);
    live.nodes = snapshot.nodes;
  } else {
    await Promise.all(Array.from({ length: LANES }, () => readEach(wanted, signal)));
  }
}

/** Takes one task after the other out of `wanted` and reads it; one that cannot be read is left as it is. */
async function readEach(wanted: Set<string>, signal: AbortSignal): Promise<void> {
  const read: Task[] = [];
  for (const id of wanted) {
    wanted.delete(id);
    const task = await get<Task>(`/v1/tasks/${encodeURIComponent(id)}`, signal).catch(() => null);
    if (task) read.push(task);
  }
  put(read);
}

/** Takes what an answer says of tasks. */
export function put(changed: Task[]): void {
  const next = new Map(live.tasks);
  for (const task of changed) next.set(task.id, task);
  live.tasks = next.size === live.tasks.size ? next : inOrder([...next.values()]);
}

const inOrder = (tasks: Task[]): Map<string, Task> => new Map(tasks.sort(byId).map((t) => [t.id, t]));

async function refresh(signal: AbortSignal): Promise<void> {
  if (document.hidden) return;
  try {
    const before = liveness(live.nodes);
    const list = await get<{ items: Node[] }>("/v1/nodes", signal);
    live.nodes = list.items;
    heard();
    // Who is gone takes its tasks along, and who comes back brings them: no event tells of that.
    if (liveness(live.nodes) !== before) await readAll(signal);
  } catch {
    // As above.
  }
}

const liveness = (nodes: Node[]): string => nodes.map((n) => `${n.id} ${n.liveness}`).sort().join();
