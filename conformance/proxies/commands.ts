/** Finds the commands in what a client of Redis sends, piece by piece. */
export class CommandParser {
  readonly #found: (words: string[]) => void;
  #rest: Buffer = Buffer.alloc(0);

  /** @param found is called with the words of each command */
  constructor(found: (words: string[]) => void) {
    this.#found = found;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const command = commandAt(this.#rest);
      if (command === null) return;
      this.#rest = this.#rest.subarray(command.end);
      if (command.words.length > 0) this.#found(command.words);
    }
  }
}

const CR = 13;
const ARRAY = 42;

/** The first command; null where it is not whole yet. */
function commandAt(bytes: Buffer): { words: string[]; end: number } | null {
  const line = lineAt(bytes, 0);
  if (line === null) return null;
  if (bytes[0] !== ARRAY) {
    // A command on one line, as by telnet.
    return { words: line.text.split(/\s+/).filter((word) => word !== ''), end: line.end };
  }
  const words: string[] = [];
  let at = line.end;
  for (let left = Number(line.text.slice(1)); left > 0; left -= 1) {
    const length = lineAt(bytes, at);
    if (length === null) return null;
    const end = length.end + Number(length.text.slice(1));
    if (bytes.length < end + 2) return null;
    words.push(bytes.toString('utf8', length.end, end));
    at = end + 2;
  }
  return { words, end: at };
}

function lineAt(bytes: Buffer, from: number): { text: string; end: number } | null {
  const at = bytes.indexOf(CR, from);
  return at < 0 || at + 1 >= bytes.length
    ? null
    : { text: bytes.toString('latin1', from, at), end: at + 2 };
}
