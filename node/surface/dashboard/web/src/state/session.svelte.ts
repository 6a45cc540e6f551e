// Whether this browser may see anything: a link's code becomes a session once, then the session lasts a while.
import { Failure, get, key, onSessionEnd, post, wordsOf } from "../api/call";
import { forgetNotes } from "./notes.svelte";
import { go } from "./route.svelte";

interface Session {
  expiresAt: number;
  user: string;
  role: string;
  may: string[];
  key?: string | null;
}

type State = "unknown" | "in" | "out";

export const session = $state<{ state: State; until: number; why: string; user: string; role: string; may: string[] }>({
  state: "unknown",
  until: 0,
  why: "",
  user: "",
  role: "",
  may: [],
});

onSessionEnd(() => {
  session.state = "out";
});

/** Finds out; a code behind the address is used up and taken off it first. */
export async function begin(): Promise<void> {
  const at = location.pathname === "/login";
  const code = at ? location.hash.slice(1) : "";
  const back = new URLSearchParams(at ? location.search : "");
  if (code) {
    history.replaceState(null, "", "/login");
    await logIn("/v1/session", { code });
  } else if (back.has("state")) {
    history.replaceState(null, "", "/login");
    await comeBack(back);
  } else {
    await resume();
  }
  if (session.state === "in" && location.pathname === "/login") go("/");
}

function take(opened: Session): void {
  [session.until, session.user, session.role, session.may] = [opened.expiresAt, opened.user, opened.role, opened.may];
  session.state = "in";
}

async function logIn(path: string, shown: Record<string, string>): Promise<void> {
  try {
    const opened = await post<Session>(path, shown);
    key.write(opened.key ?? "");
    take(opened);
  } catch (error) {
    session.state = "out";
    session.why = wordsOf(error).message;
  }
}

/** From the identity provider, which says who this is, or why it does not. */
async function comeBack(back: URLSearchParams): Promise<void> {
  const [code, state] = [back.get("code"), back.get("state")];
  if (code && state) return logIn("/v1/session/oidc", { code, state });
  session.state = "out";
  // Whoever made a link to this page chose what it says: nothing but one of the provider's own words is shown.
  const word = /^[a-z_]{1,40}$/.exec(back.get("error") ?? "")?.[0].replaceAll("_", " ");
  session.why = `The log-in was not finished: ${word ?? "it was broken off"}.`;
}

/** What the identity provider is called; nothing when there is none. */
export async function provider(): Promise<string> {
  try {
    return (await get<{ oidc?: string }>("/v1/session/ways")).oidc ?? "";
  } catch {
    return "";
  }
}

/** Leaves for the identity provider. */
export async function leave(): Promise<void> {
  try {
    location.assign((await get<{ url: string }>("/v1/session/oidc")).url);
  } catch (error) {
    session.why = wordsOf(error).message;
  }
}

async function resume(): Promise<void> {
  if (!key.read()) {
    session.state = "out";
    return;
  }
  try {
    take(await get<Session>("/v1/session"));
  } catch (error) {
    // A node that does not answer has not ended the session: the pages say that it is away.
    session.state = error instanceof Failure && error.status === 0 ? "in" : "out";
  }
}

/** Ends it here and on the node. */
export async function logOut(): Promise<void> {
  await post("/v1/session/end");
  key.forget();
  forgetNotes();
  session.state = "out";
  session.why = "You logged out.";
}
