// What no event tells of: read every few seconds while its page is shown, and again after every change.
import { complain, say } from "./toasts.svelte";

const EVERY = 3_000;

/** Reads now, and again until what it answers is called; `end` is called then too. */
export function poll(read: () => Promise<void>, end: () => void): () => void {
  void read();
  const timer = setInterval(() => document.hidden || void read(), EVERY);
  return () => {
    clearInterval(timer);
    end();
  };
}

/** Does something, says in words what came of it, and reads again. */
export const changing =
  (read: () => Promise<void>) =>
  async (act: () => Promise<string>): Promise<void> => {
    try {
      const done = await act();
      if (done) say(done);
    } catch (error) {
      complain(error);
    }
    await read();
  };

/** Puts `text` into the clipboard and says so. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say(`${what} is in the clipboard`);
  } catch (error) {
    complain(error);
  }
}
