// The terminal of a task's agent, over as many connections as it takes: each byte of its output once.
import { key } from "../api/call";
import { input, read, word, type Word } from "../words/terminal";

const PROTOCOL = "ikigai.terminal.v1";
/** First and longest pause between two tries, in ms. */
const PAUSES = { first: 300, longest: 10_000 };
/** How long after old output was shown the screen's own answers to it are dropped, in ms. */
const ANSWERS = 150;

/** Where output goes. */
export interface Screen {
  write(bytes: Uint8Array, then: () => void): void;
  clear(): void;
  note(text: string): void;
}

export type Link = "opening" | "open" | "broken" | "over";

export class Terminal {
  link = $state<Link>("opening");
  /** Who types. */
  writer = $state<string | null>(null);
  you = $state(false);
  /** What was refused last, until the lock changes. */
  refused = $state("");
  /** Why it is over. */
  why = $state("");

  #task: string;
  #screen: Screen;
  #socket: WebSocket | null = null;
  #client = crypto.randomUUID();
  #terminal: string | null = null;
  #next = 0;
  #old = 0;
  #size = { cols: 80, rows: 24 };
  #pause = PAUSES.first;
  #timer = 0;
  #listensFrom = Infinity;

  constructor(task: string, screen: Screen) {
    this.#task = task;
    this.#screen = screen;
  }

  open(size: { cols: number; rows: number }): void {
    this.#size = size;
    const address = new URL(`/v1/tasks/${encodeURIComponent(this.#task)}/terminal`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    // A page cannot add headers here: its half of the session is offered as a protocol.
    const socket = new WebSocket(address, [PROTOCOL, `ikigai.key.${key.read() ?? ""}`]);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      const from = this.#terminal === null ? null : this.#next;
      this.#say(word("open", { client: this.#client, terminal: this.#terminal, from, size: this.#size, want: "type" }));
    };
    socket.onmessage = (event) => this.#hear(event.data as ArrayBuffer);
    socket.onclose = () => this.#ended(socket);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.link = "over";
    if (this.you) this.handBack();
    this.#socket?.close();
  }

  type(text: string): void {
    if (Date.now() < this.#listensFrom) return;
    for (const message of input(text)) this.#say(message);
  }

  resize(size: { cols: number; rows: number }): void {
    this.#size = size;
    this.#say(word("size", { size }));
  }

  take(): void {
    this.#say(word("take", { force: true }));
  }

  handBack(): void {
    this.#say(word("hand-back"));
  }

  /** Once more, after it was over. */
  again(): void {
    this.link = "opening";
    this.why = "";
    this.open(this.#size);
  }

  #say(message: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  #hear(data: ArrayBuffer): void {
    const message = read(data);
    if (message?.kind === "word") this.#word(message.word);
    else if (message?.kind === "output") {
      // What does not follow is read again from the byte that does.
      if (message.offset !== this.#next) return void this.#socket?.close();
      this.#next += message.bytes.length;
      const is = this.#next;
      this.#screen.write(message.bytes, () => this.#shown(is));
    }
  }

  #word(word: Word): void {
    if (word.say === "opened") {
      if (this.#terminal !== null && this.#terminal !== word.terminal) this.#screen.clear();
      if (this.#terminal !== word.terminal) {
        this.#old = word.end;
        this.#listensFrom = word.end > 0 ? Infinity : 0;
      }
      this.#terminal = word.terminal;
      this.#next = word.from;
      this.#pause = PAUSES.first;
      this.link = "open";
    } else if (word.say === "gap") {
      this.#next = word.to;
      this.#screen.note(`${word.to - word.from} bytes of output are not kept any more`);
      this.#shown(word.to);
    } else if (word.say === "lock") {
      this.writer = word.writer ?? null;
      this.you = word.you;
      this.refused = "";
    } else if (word.say === "refused") {
      this.refused = word.text;
      if (word.end) this.#over(word.text);
    } else if (word.say === "exited") {
      this.#over(`the shell ended with ${word.code}`);
    }
  }

  /** Old output makes the screen answer programs that asked it something long ago: that is for nobody. */
  #shown(upTo: number): void {
    if (this.#listensFrom === Infinity && upTo >= this.#old) this.#listensFrom = Date.now() + ANSWERS;
  }

  #over(why: string): void {
    this.link = "over";
    this.why = why;
    this.writer = null;
    this.you = false;
  }

  #ended(socket: WebSocket): void {
    if (socket !== this.#socket || this.link === "over") return;
    // One that never was there says no reason to a page: the node's answer is not shown to it.
    if (this.link === "opening") return this.#over("the agent has no terminal now");
    this.link = "broken";
    this.you = false;
    this.#timer = window.setTimeout(() => this.open(this.#size), this.#pause);
    this.#pause = Math.min(this.#pause * 2, PAUSES.longest);
  }
}
