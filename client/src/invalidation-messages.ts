/** Messages of an invalidation stream (docs/read-protocol.md). */

/** What a message tells to forget: values by their cache keys, or all of the resource. */
export interface InvalidationMessage {
  id: string;
  /** The id of the message before it. */
  before: string;
  forget: 'all' | readonly string[];
}

/** A message as Redis answers it: its id, and names and values in turn. */
type RawMessage = readonly [id: string, fields: readonly string[]];

/** @throws TypeError where the reply is none of a stream */
export function readMessages(reply: unknown): InvalidationMessage[] {
  if (!Array.isArray(reply)) throw new TypeError('The reply is none of a stream.');
  return reply.map((each) => readMessage(each as unknown));
}

/** A message of a kind that this version does not know may mean anything: all is forgotten. */
function readMessage(raw: unknown): InvalidationMessage {
  if (!isRawMessage(raw)) throw new TypeError('The reply is none of a stream.');
  const [id, fields] = raw;
  const cacheKeys: string[] = [];
  let before = '';
  let isKnown = true;
  for (let at = 0; at < fields.length; at += 2) {
    const [name, value = ''] = [fields[at], fields[at + 1]];
    if (name === 'p') before = value;
    else if (name === 'k') cacheKeys.push(value);
    else isKnown = false;
  }
  return { id, before, forget: isKnown && cacheKeys.length > 0 ? cacheKeys : 'all' };
}

const isRawMessage = (raw: unknown): raw is RawMessage =>
  Array.isArray(raw) && typeof raw[0] === 'string' && Array.isArray(raw[1]);

/**
 * Whether a reader that knew the stream up to `lastId` has missed a message: the chain of messages is broken, or the
 * stream as it is now is another one, or gone.
 * @param newestId the id of the newest message in the stream, asked for after the messages; null: there is none
 */
export function isGap(
  lastId: string,
  messages: readonly InvalidationMessage[],
  newestId: string | null,
): boolean {
  let known = lastId;
  for (const { id, before } of messages) {
    if (before !== known) return true;
    known = id;
  }
  return newestId === null || isBefore(newestId, known);
}

function isBefore(id: string, other: string): boolean {
  const [ms = 0, count = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number);
  return ms === otherMs ? count < otherCount : ms < otherMs;
}
