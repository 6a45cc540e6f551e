// One request to the API and its answer. A request carries the page's half of the session; the other half is a
// cookie that no page can read. Every failure is a `Failure` that says what to do.
import type { Problem } from "./types";

const KEY = "ikigai.key";

/** Where the page's half of the session is kept; storage belongs to this origin, port included. */
export const key = {
  read: (): string | null => localStorage.getItem(KEY),
  write: (value: string): void => localStorage.setItem(KEY, value),
  forget: (): void => localStorage.removeItem(KEY),
};

/** What went wrong, and what to do. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.message);
  }
}

const ended: (() => void)[] = [];

/** Calls `then` when the node says that there is no session. */
export function onSessionEnd(then: () => void): void {
  ended.push(then);
}

let skew = 0;

/** What to add to this machine's clock to get the node's, in ms; small differences count as none. */
export const clockSkew = (): number => skew;

function noteClock(response: Response): void {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isFinite(date)) skew = Math.abs(date - Date.now()) > 3000 ? date - Date.now() : 0;
}

/** Sends a request; answers the response when it is a good one. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const own = key.read();
  if (own) headers.set("X-Ikigai-Key", own);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, credentials: "same-origin", redirect: "error" });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failure(0, { code: "unreachable", message: "the node does not answer", hint: "is it up? run: ikigai up" });
  }
  noteClock(response);
  if (response.ok) return response;
  if (response.status === 401) for (const then of ended) then();
  throw new Failure(response.status, await problemOf(response));
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const problem = (await response.json()) as Problem;
    if (typeof problem.message === "string") return problem;
  } catch {
    // Not our document: something else answered.
  }
  return { code: "failed", message: `the node answered ${response.status}` };
}

/** Reads a document. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

/** Does something; the same `once` twice is done once. */
export async function post<T>(path: string, body: unknown = {}, once?: string): Promise<T> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (once) headers["Idempotency-Key"] = once;
  const response = await send(path, { method: "POST", headers, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

/** Takes something away. */
export async function remove<T>(path: string): Promise<T> {
  return (await send(path, { method: "DELETE" }).then((r) => r.json())) as T;
}

/** Reads text. */
export async function text(path: string, signal?: AbortSignal): Promise<string> {
  return (await send(path, signal ? { signal } : {})).text();
}

/** A name for one wish of a person, so that sending it twice does it once. */
export function once(): string {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
}

/** What to tell a person of an error. */
export function wordsOf(error: unknown): { message: string; hint: string } {
  if (error instanceof Failure) return { message: error.problem.message, hint: error.problem.hint ?? "" };
  return { message: error instanceof Error ? error.message : String(error), hint: "" };
}
