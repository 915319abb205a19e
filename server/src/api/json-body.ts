import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '@lockstep/shared';
import { LockstepError, invalidField } from '../domain/index.ts';

/** Deepest nesting of arrays and objects: code that walks a body recursively stays far from the stack's end. */
const MAX_DEPTH = 64;
/** A body over the limit is read and dropped, up to this many times the limit, so that its sender can read the answer. */
const DRAIN_FACTOR = 16;

/**
 * The JSON value of a request's body, whose bytes were read.
 * @throws LockstepError `UNSUPPORTED_MEDIA_TYPE`, `MALFORMED`, `INVALID` (nested too deep)
 */
export function jsonOf(request: IncomingMessage, bytes: Buffer): JsonValue {
  if (bytes.length === 0)
    throw new LockstepError('MALFORMED', 'The body is empty; it must be JSON.');
  checkMediaType(request);
  if (!isUtf8(bytes)) throw new LockstepError('MALFORMED', 'The body is not valid UTF-8.');
  const value = parse(bytes.toString('utf8'));
  if (isDeeper(value, MAX_DEPTH))
    throw invalidField('body', `must be nested at most ${MAX_DEPTH} deep`);
  return value;
}

/** @throws LockstepError `INVALID` */
export function jsonObject(value: JsonValue): JsonObject {
  if (!isJsonObject(value)) throw invalidField('body', 'must be a JSON object');
  return value;
}

function checkMediaType(request: IncomingMessage): void {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (!/^application\/json *(; *charset="?utf-8"? *)?$/i.test(type)) {
    throw new LockstepError(
      'UNSUPPORTED_MEDIA_TYPE',
      'Send Content-Type: application/json, in UTF-8.',
    );
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new LockstepError('UNSUPPORTED_MEDIA_TYPE', 'A compressed body is not supported.');
  }
}

function parse(text: string): JsonValue {
  try {
    return parseJson(text);
  } catch {
    throw new LockstepError('MALFORMED', 'The body is not valid JSON.');
  }
}

/** @throws LockstepError `TOO_LARGE`, `MALFORMED` where it ended early */
export function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    let isSettled = false;
    const fail = (code: 'TOO_LARGE' | 'MALFORMED', message: string): void => {
      // A request closes after its end too, and errors are expensive to make.
      if (!isSettled) reject(new LockstepError(code, message));
      isSettled = true;
    };
    const tooLarge = (): void => fail('TOO_LARGE', `The body is larger than ${maxBytes} bytes.`);
    const broken = (): void => fail('MALFORMED', 'The body ended early.');
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else chunks = [];
      if (length > maxBytes * DRAIN_FACTOR) {
        request.pause();
        tooLarge();
      }
    });
    request.on('end', () => {
      if (length > maxBytes) return tooLarge();
      isSettled = true;
      const [first] = chunks;
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
    });
    request.on('error', broken);
    request.on('close', broken);
  });
}

function isDeeper(value: JsonValue, depth: number): boolean {
  if (!Array.isArray(value) && !isJsonObject(value)) return false;
  if (depth === 0) return true;
  const inner = Array.isArray(value) ? value : Object.values(value);
  return inner.some((child) => isDeeper(child, depth - 1));
}
