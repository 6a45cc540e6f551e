// Messages of an agent's terminal: a kind, then a body. Kind 0 is a word in JSON, kind 1 is bytes.

/** What the terminal says beside its output. */
export type Word =
  | { say: "opened"; terminal: string; from: number; end: number }
  | { say: "gap"; from: number; to: number }
  | { say: "lock"; writer?: string | null; you: boolean }
  | { say: "refused"; text: string; hint: string; end: boolean }
  | { say: "exited"; code: number };

export type Message = { kind: "word"; word: Word } | { kind: "output"; offset: number; bytes: Uint8Array };

const WORD = 0;
const BYTES = 1;

/** Reads a message; `null` when it is none. */
export function read(message: ArrayBuffer): Message | null {
  const bytes = new Uint8Array(message);
  if (bytes[0] === WORD) {
    try {
      return { kind: "word", word: JSON.parse(new TextDecoder().decode(bytes.subarray(1))) as Word };
    } catch {
      return null;
    }
  }
  if (bytes[0] !== BYTES || bytes.length < 9) return null;
  // A terminal that wrote 2^53 bytes is not seen by anybody alive.
  const offset = Number(new DataView(message).getBigUint64(1));
  return { kind: "output", offset, bytes: bytes.subarray(9) };
}

/** A word as a message. */
export function word(say: string, fields: object = {}): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ say, ...fields }));
  return joined(WORD, text);
}

/** What was typed, as messages none of which is too long. */
export function input(text: string): Uint8Array<ArrayBuffer>[] {
  const bytes = new TextEncoder().encode(text);
  const all = [];
  for (let at = 0; at < bytes.length; at += 16_384) all.push(joined(BYTES, bytes.subarray(at, at + 16_384)));
  return all;
}

function joined(kind: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(body.length + 1);
  message[0] = kind;
  message.set(body, 1);
  return message;
}
