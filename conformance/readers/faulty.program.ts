/**
 * A small reader that keeps every rule, or breaks the one that its argument names: it shows that the kit finds what it
 * looks for. It has no code in common with `@lockstep/client`.
 */
import {
  type Catalog,
  type CatalogResource,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
} from '@lockstep/shared';
import { cacheKeyOf } from '../entries.ts';
import type { Answer, KeyPart } from '../reader-process.ts';
import type { Fault } from './faults.ts';
import { FaultyCache } from './faulty-cache.ts';
import { addresses, serve } from './lines.ts';

const { url, token, redis, refreshMs } = addresses();
const fault = process.argv[2] as Fault | undefined;
const breaks = (name: Fault): boolean => fault === name;
const PAUSE_MS = 100;

interface Asked {
  resource: string;
  key: readonly KeyPart[];
  leastVersion: number;
}

let catalog: Catalog | null = null;
let askedAtMs = -Infinity;
const cache = new FaultyCache(redis, breaks, () => catalog?.cacheId ?? null);
const kept = new Map<string, { answer: Answer; atMs: number }>();
const former = new Map<string, Answer>();
const sessions = new Map<string, Map<string, number>>();

await refresh();
if (!breaks('never asks for the resources again')) setInterval(() => void refresh(), refreshMs);

async function refresh(): Promise<void> {
  askedAtMs = performance.now();
  try {
    const { status, body } = await call('GET', '/v1/resources');
    if (status !== 200) return;
    catalog = body as unknown as Catalog;
    cache.verifyAgain();
  } catch {
    // What is known stays.
  }
}

async function call(
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<{ status: number; body: JsonValue }> {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  return { status: answer.status, body: parseJson(await answer.text()) };
}

async function get(asked: Asked): Promise<Answer> {
  const resource = catalog?.resources.find(({ name }) => name === asked.resource);
  const cacheKey = resource === undefined ? null : readableKey(resource, asked.key);
  if (resource === undefined || cacheKey === null) return askCoordinator(asked);
  const before = kept.get(cacheKey);
  if (before !== undefined && performance.now() - before.atMs < 1_000) return before.answer;
  const text = await cache.read(cacheKey);
  const found = text === null ? null : answerIn(text, resource, cacheKey);
  if (found !== null && found.version >= asked.leastVersion) {
    if (breaks('keeps values for a second'))
      kept.set(cacheKey, { answer: found.answer, atMs: performance.now() });
    return found.answer;
  }
  const answer = await askCoordinator(asked);
  if (breaks('fills what is missing') && 'value' in answer)
    await cache.fill(cacheKey, resource, answer.value);
  return answer;
}

function readableKey(resource: CatalogResource, key: readonly KeyPart[]): string | null {
  if (breaks('asks the coordinator for everything')) return null;
  if (!resource.isReadable && !breaks('reads what is not readable')) return null;
  const texts = resource.key.map((part, index) =>
    breaks('makes a cache key of every key') ? String(key[index]) : textOf(part.text, key[index]),
  );
  if (texts.length !== key.length || texts.includes(null)) return null;
  if (breaks('escapes nothing in cache keys')) {
    const place = (name: string): number => resource.key.findIndex((part) => part.name === name);
    return resource.cacheKey.replace(/{(\w+)}/g, (_, name: string) => texts[place(name)] ?? '');
  }
  return cacheKeyOf(
    resource,
    texts.map((text) => text ?? ''),
  );
}

function textOf(rule: string, part: KeyPart | undefined): string | null {
  const text = String(part);
  if (typeof part === 'boolean') return rule === 'boolean' ? text : null;
  if (rule === 'whole') return /^(0|-?[1-9]\d{0,29})$/.test(text) ? text : null;
  if (rule === 'text') return typeof part === 'string' && part.isWellFormed() ? part : null;
  if (rule !== 'uuid') return null;
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : null;
}

/** What may be answered of an entry, with its version. */
function answerIn(
  text: string,
  resource: CatalogResource,
  cacheKey: string,
): { answer: Answer; version: number } | null {
  const [head = '', ...rest] = text.split('\n');
  const header = parsed(head);
  if (!isJsonObject(header)) return null;
  const { s: state, v: version, o: owner } = header;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) return null;
  const isAnyState = breaks('answers what stands in any entry') && typeof state === 'string';
  if (state !== 'value' && !isAnyState) return formerAnswer(state, cacheKey);
  if (owner !== resource.owner && !breaks('does not look at owners')) {
    const pauseMs = performance.now() - askedAtMs;
    if (!breaks('does not ask again after another owner') && pauseMs > PAUSE_MS) void refresh();
    return null;
  }
  const answer = answerOf(rest.join('\n'), resource, version);
  if (answer === null) return null;
  if (breaks('answers the value before an intent')) former.set(cacheKey, answer);
  return { answer, version };
}

function formerAnswer(
  state: JsonValue | undefined,
  cacheKey: string,
): { answer: Answer; version: number } | null {
  const answer = state === 'intent' ? former.get(cacheKey) : undefined;
  return answer === undefined ? null : { answer, version: 0 };
}

function answerOf(body: string, { kind }: CatalogResource, version: number): Answer | null {
  const row = parsed(body);
  if (row === undefined)
    return breaks('answers a body that is no JSON') ? { value: body, version } : null;
  if (kind === 'query') {
    const rows = isJsonObject(row) ? row['rows'] : undefined;
    return Array.isArray(rows) ? { value: rows, version: null } : null;
  }
  if (row === null)
    return breaks('takes the body null for a value') ? { value: null, version } : { absent: true };
  return isJsonObject(row) ? { value: row, version } : null;
}

/** Undefined where it is no JSON. */
function parsed(text: string): JsonValue | undefined {
  try {
    return breaks('rounds numbers') ? (JSON.parse(text) as JsonValue) : parseJson(text);
  } catch {
    return undefined;
  }
}

async function askCoordinator({ resource, key, leastVersion }: Asked): Promise<Answer> {
  const least = leastVersion > 0 ? { minVersion: leastVersion } : {};
  try {
    const operations = [{ op: 'get', resource, key, ...least }];
    const { body } = await call('POST', '/v1/batch', { operations });
    const results = isJsonObject(body) ? body['results'] : undefined;
    const [result] = Array.isArray(results) ? results : [];
    return resultIn(isJsonObject(result) ? result : {});
  } catch {
    return resultIn({});
  }
}

function resultIn({ value, version, code }: JsonObject): Answer {
  if (value !== undefined) return { value, version: typeof version === 'number' ? version : null };
  if (code === 'NOT_FOUND' || breaks('takes every failure for an absent row'))
    return { absent: true };
  return { error: typeof code === 'string' ? code : 'COORDINATOR_UNAVAILABLE' };
}

serve({
  name: 'a small reader',
  has: ['sessions'],
  get: async (resource, key, session) => {
    if (session === undefined) return get({ resource, key, leastVersion: 0 });
    const seen = sessions.get(session) ?? new Map<string, number>();
    sessions.set(session, seen);
    const { rows = resource } = catalog?.resources.find(({ name }) => name === resource) ?? {};
    const row = JSON.stringify([rows, key]);
    const leastVersion = breaks('forgets what a session has seen') ? 0 : (seen.get(row) ?? 0);
    const answer = await get({ resource, key, leastVersion });
    if ('value' in answer) seen.set(row, Math.max(leastVersion, answer.version ?? 0));
    return answer;
  },
});
