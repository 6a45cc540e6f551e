// Server-sent events read by fetch: EventSource can neither send a header nor tell why it failed.
import { send } from "./call";

/** One event of a stream. */
export interface Frame {
  name: string;
  id: string | null;
  data: string;
}

/** A quiet stream gives a sign of life every 15 s; one that does not is dead. */
const SILENCE = 35_000;
/** Longest frame that is taken; a log line is far shorter. */
const MAX_FRAME = 4 << 20;

/** Takes text apart into frames, however it was cut on the way. */
export class Frames {
  #rest = "";

  /** The frames that `chunk` completes. */
  take(chunk: string): Frame[] {
    const text = this.#rest + chunk;
    const blocks = text.split("\n\n");
    this.#rest = blocks.pop() ?? "";
    if (this.#rest.length > MAX_FRAME) throw new Error("a frame of the stream does not end");
    return blocks.map(frameOf).filter((f) => f !== null);
  }
}

function frameOf(block: string): Frame | null {
  const frame: Frame = { name: "message", id: null, data: "" };
  let data = "";
  for (const line of block.split("\n")) {
    const [field, value] = fieldOf(line);
    if (field === "event") frame.name = value;
    else if (field === "id") frame.id = value;
    else if (field === "data") data += (data ? "\n" : "") + value;
  }
  frame.data = data;
  return data || frame.id ? frame : null;
}

function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}

/** Reads `path` until it ends, `signal` stops it, or nothing comes for too long. Gives frames in batches as they come. */
export async function* stream(path: string, signal: AbortSignal): AsyncGenerator<Frame[]> {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener("abort", stop);
  if (signal.aborted) return;
  let quiet = setTimeout(stop, SILENCE);
  try {
    const response = await send(path, { signal: own.signal, headers: { Accept: "text/event-stream" } });
    const reader = response.body?.getReader();
    if (!reader) return;
    const decoder = new TextDecoder();
    const frames = new Frames();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(quiet);
      quiet = setTimeout(stop, SILENCE);
      yield frames.take(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(quiet);
    signal.removeEventListener("abort", stop);
    own.abort();
  }
}
