/** Explains the comparison of one key's database and cache state. */
import type { KeyInspection } from '@lockstep/shared';
import type { Level } from './verdict.ts';

export interface KeyComparison {
  level: Level;
  headline: string;
  detail: string;
}

/** Compares one key of a table or a query. Only a plain disagreement requires somebody to act. */
export function compareKey(key: KeyInspection, isQuery = false): KeyComparison {
  if (key.database === null) {
    return say('unknown', 'The database does not answer', 'Whether the sides agree can’t be said.');
  }
  if (key.cache === null) {
    return say('unknown', 'The cache does not answer', 'Reads of this key go to the database.');
  }
  if (key.cache.state === 'opaque') {
    return say(
      'unknown',
      'Kept by the service itself',
      'Lockstep deletes this entry when the row changes, and does not read it: whether it agrees can’t be said.',
    );
  }
  if (key.cache.state === 'intent') {
    return key.lock === null
      ? say(
          'watch',
          'An intent without a writer',
          'Readers read the database, so no wrong value is answered. The next reader or sweep recovers it.',
        )
      : say('ok', 'Being written', 'Readers read the database until the write is published.');
  }
  if (key.agrees === false) {
    return say(
      'act',
      'Database and cache disagree',
      `Readers may get the cache’s value. An audit of this resource repairs it, and so does any write of ${isQuery ? 'a row in the answer' : 'the key'}.`,
    );
  }
  return fromState(key.cache.state, key.database.row === null, isQuery ? 'answer' : 'row');
}

function fromState(state: string, missing: boolean, noun: string): KeyComparison {
  switch (state) {
    case 'absent':
      return missing
        ? say('ok', 'In step', 'Neither side has this key.')
        : say('ok', 'In step', `Nothing is cached; the next read fetches the ${noun}.`);
    case 'tombstone':
      return say('ok', 'In step', `Invalidated: the next read fetches the ${noun}.`);
    case 'lease':
      return say(
        'ok',
        'In step',
        'A reader is on its way to the database, and will fill the cache.',
      );
    case 'corrupt':
      return say(
        'act',
        'The entry can’t be read',
        'Readers go to the database. An audit repairs it.',
      );
    default:
      return say('ok', 'In step', `Database and cache hold the same ${noun}.`);
  }
}

function say(level: Level, headline: string, detail: string): KeyComparison {
  return { level, headline, detail };
}
