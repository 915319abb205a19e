/** Answers as texts of a bounded length, and the bound on large answers that wait for their readers. */
import type { ServerResponse } from 'node:http';
import { jsonText, type JsonValue } from '@lockstep/shared';

/** The JSON text of a body; null where it would be longer than `maxBytes`. */
export function textWithin(body: object, maxBytes: number): string | null {
  let text: string;
  try {
    text = jsonText(body);
  } catch (error) {
    // Longer than a text can be at all.
    if (error instanceof RangeError) return null;
    throw error;
  }
  return within(text, maxBytes);
}

/** The text; null where it is longer than `maxBytes`. */
export function within(text: string, maxBytes: number): string | null {
  // A character is three bytes at most.
  return text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes ? text : null;
}

interface ReadBody {
  resource: string;
  key: JsonValue;
  version: number | null;
  source: string;
  token: string;
}

/** The text of a read's body around the row's text as the cache has it, which need not be made again. */
export function readText(
  { resource, key, version, source, token }: ReadBody,
  rowText: string,
): string {
  return `{"resource":"${resource}","key":${jsonText(key)},"version":${version},"value":${rowText},"source":"${source}","token":"${token}"}`;
}

/** The answer to a write without its value, which does not fit. */
export function withoutValue<Body extends object>(body: Body): Omit<Body, 'value'> {
  const { value: _, ...others } = body as Body & { value?: unknown };
  return { ...others, valueOmitted: true };
}

/**
 * The results of many operations as the text of one answer.
 *
 * Each result becomes text once, when it is there: a small request may ask for the same large rows a hundred times. Over
 * the bound, the result of a write leaves its value out and says what became of the write; that of a read is refused.
 */
export class AnswerText {
  readonly #maxBytes: number;
  readonly #results: string[] = [];
  #bytes = 0;

  /** @param maxBytes of all results together */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether no further result fits. */
  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** @returns false where it does not fit: nothing is added then */
  addRead(index: number, text: string): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#set(index, text, bytes);
    return true;
  }

  /** Adds what became of a write, with its value where that fits. */
  addWrite(index: number, result: Readonly<Record<string, unknown>>): void {
    const text = textWithin(result, this.#maxBytes);
    if (text !== null && this.addRead(index, text)) return;
    this.addAlways(index, withoutValue(result));
  }

  /** Adds a result of a few bytes, also over the bound. */
  addAlways(index: number, result: object): void {
    const text = jsonText(result);
    this.#set(index, text, Buffer.byteLength(text));
  }

  /** As a JSON list, in the order of their indexes. */
  list(): string {
    return `[${this.#results.join()}]`;
  }

  #set(index: number, text: string, bytes: number): void {
    this.#results[index] = text;
    this.#bytes += bytes;
  }
}

/** Shorter answers are not worth counting: the bound on connections bounds them. */
const LARGE_CHARACTERS = 256 * 1024;

/**
 * Large answers that their readers have not taken yet. Beyond the bound the edge would cut connections, so a caller whose
 * answer is one too many gets a refusal instead.
 * Invariant: the admitted answers have at most `maxBytes` together.
 */
export class LargeAnswers {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Counts an answer until it is sent; false: it is one too many. */
  admit(text: string, response: Pick<ServerResponse, 'closed' | 'once'>): boolean {
    if (text.length < LARGE_CHARACTERS || response.closed) return true;
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    response.once('close', () => (this.#bytes -= bytes));
    return true;
  }
}
