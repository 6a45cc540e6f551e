// Who may use the node: users, and the tokens, sessions and links that let them in, and what was decided. No event
// tells of any of it, so all is read every few seconds while its page is shown.
import { get, post, remove } from "../api/call";
import type { AuditEntry, List, Pass, User } from "../api/types";
import { changing, poll } from "./polled";
import { session } from "./session.svelte";

/** Entries of the log that are shown. */
const ENTRIES = 50;

class People {
  users = $state.raw<User[]>([]);
  tokens = $state.raw<Pass[]>([]);
  sessions = $state.raw<Pass[]>([]);
  shares = $state.raw<Pass[]>([]);
  audit = $state.raw<AuditEntry[]>([]);
  /** Why they cannot be read. */
  problem = $state.raw<unknown>(null);
  /** What was just made: its secret is told once and kept nowhere. */
  made = $state.raw<{ words: string; text: string } | null>(null);
}

export const people = new People();

/** Whether the policy lets this session do `action`. */
export const may = (action: string): boolean => session.may.includes(action);

/** Reads now, and again until what it answers is called. */
export const watchPeople = (): (() => void) => poll(read, () => (people.made = null));

async function read(): Promise<void> {
  const list = async <T>(action: string, path: string): Promise<T[]> => (may(action) ? (await get<List<T>>(path)).items : []);
  try {
    [people.users, people.tokens, people.sessions, people.shares, people.audit] = await Promise.all([
      list<User>("administer", "/v1/users"),
      list<Pass>("administer", "/v1/tokens"),
      list<Pass>("administer", "/v1/sessions"),
      list<Pass>("share", "/v1/shares"),
      list<AuditEntry>("audit", `/v1/audit?limit=${ENTRIES}`),
    ]);
    people.problem = null;
  } catch (error) {
    people.problem = error;
  }
}

const doing = changing(read);

export const addUser = (name: string, role: string): Promise<void> =>
  doing(async () => {
    await post("/v1/users", { name, role });
    return `${name} is a user of this node`;
  });

export const setRole = (user: User, role: string): Promise<void> =>
  doing(async () => {
    await post(`/v1/users/${encodeURIComponent(user.name)}`, { role });
    return `${user.name} is ${role} from now on`;
  });

export const removeUser = (user: User): Promise<void> =>
  doing(async () => {
    await remove(`/v1/users/${encodeURIComponent(user.name)}`);
    return `${user.name} is no user any more`;
  });

export const linkFor = (user: User): Promise<void> =>
  doing(async () => {
    const link = await post<{ url: string }>(`/v1/users/${encodeURIComponent(user.name)}/link`);
    people.made = { words: `A link for ${user.name}: it works once, within five minutes.`, text: link.url };
    return "";
  });

export const newToken = (name: string, role: string, ttlSeconds: number): Promise<void> =>
  doing(async () => {
    const made = await post<Pass>("/v1/tokens", { name, role, ttlSeconds });
    people.made = { words: `Token ${made.id}: it is shown here only. Hand it over as you would a password.`, text: made.token ?? "" };
    return "";
  });

const KINDS: Record<string, string> = { token: "tokens", session: "sessions", share: "shares" };

export const takeBack = (pass: Pass): Promise<void> =>
  doing(async () => {
    await remove(`/v1/${KINDS[pass.type] ?? "tokens"}/${encodeURIComponent(pass.id)}`);
    return `${pass.type} ${pass.id} works no more`;
  });
