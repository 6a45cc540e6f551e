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
  const code = location.pathname === "/login" ? location.hash.slice(1) : "";
  if (code) {
    history.replaceState(null, "", "/login");
    await logIn(code);
  } else {
    await resume();
  }
  if (session.state === "in" && location.pathname === "/login") go("/");
}

function take(opened: Session): void {
  [session.until, session.user, session.role, session.may] = [opened.expiresAt, opened.user, opened.role, opened.may];
  session.state = "in";
}

async function logIn(code: string): Promise<void> {
  try {
    const opened = await post<Session>("/v1/session", { code });
    key.write(opened.key ?? "");
    take(opened);
  } catch (error) {
    session.state = "out";
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
