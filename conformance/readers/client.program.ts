/** `@lockstep/client` as a reader that the kit can judge. */
import { parseJson } from '@lockstep/shared';
import { createClient, jsonText, LockstepError, type Operations } from '@lockstep/client';
import type { Answer, KeyPart } from '../reader-process.ts';
import { addresses, serve } from './lines.ts';

const { refreshMs, ...servers } = addresses();
const client = createClient({
  ...servers,
  catalogRefreshMs: refreshMs,
  retries: { maxAttempts: 1 },
});
const sessions = new Map<string, Operations>();

/** The client's own promise to itself would hide what other sessions see: without a name each read has its own. */
function operationsOf(session: string | undefined): Operations {
  if (session === undefined) return client.session();
  const known = sessions.get(session) ?? client.session();
  sessions.set(session, known);
  return known;
}

type Read = Awaited<ReturnType<Operations['get']>>;
/**
 * The package has an `ExactNumber` of its own: its values are written by it, and read as this program reads them.
 * @throws LockstepError `CORRUPT_ENTRY`
 */
const answerOf = (read: Read): Answer =>
  read === null
    ? { absent: true }
    : { value: parseJson(jsonText(read.value)), version: read.version };

/** A row that cannot be parsed is noticed where its value is looked at; the client says to read it again. */
async function again<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'CORRUPT_ENTRY') return again(read);
    throw error;
  }
}

serve({
  name: '@lockstep/client',
  has: ['sessions', 'many'],
  get: (resource, key: readonly KeyPart[], session) =>
    again(async () => answerOf(await operationsOf(session).get(resource, key))),
  getMany: (resource, keys) =>
    again(async () => (await operationsOf(undefined).getMany(resource, keys)).map(answerOf)),
});
