import type { NodeStatus } from '@lockstep/shared';
import type { NodeReading } from './node-state.ts';

export interface DetailContext {
  /** Whether any resource is `strict`. */
  hasStrict: boolean;
  draining: boolean;
}

/** Puts each node's state in one line that says what is wrong, what it means, and what still works. */
export function describeNodes(
  readings: readonly NodeReading[],
  context: DetailContext,
): NodeStatus[] {
  return readings.map((reading) => {
    const { name, kind, status, rttMs, sinceMs, group } = reading;
    // Of a lock node: the nodes that vote with it.
    const locks = readings.filter((other) => other.kind === 'lock' && other.group === group);
    const locksDown = locks.filter((other) => other.status === 'down').length;
    return {
      name,
      kind,
      status,
      rttMs,
      sinceMs,
      ...(group === undefined ? {} : { group }),
      detail: describeNode(reading, { ...context, locks: locks.length, locksDown }),
    };
  });
}

type FullContext = DetailContext & { locks: number; locksDown: number };

function describeNode(reading: NodeReading, context: FullContext): string | null {
  if (reading.status === 'up') {
    if (reading.kind === 'coordinator' && context.draining)
      return 'stopping: it finishes the writes under way and takes no new ones';
    return reading.partFault === undefined ? null : cachePartDown(reading.partFault, context);
  }
  const isDown = reading.status === 'down';
  switch (reading.kind) {
    case 'database':
      return isDown
        ? databaseDown(reading)
        : slow(reading, 'every write and every miss waits for it');
    case 'replica':
      return `${isDown ? 'not read' : 'behind'}${because(reading)}: the primary answers what it would have`;
    case 'cache':
      return isDown
        ? cacheDown(reading, context)
        : slow(reading, 'reads and strict writes wait for it');
    case 'lock':
      return isDown
        ? lockDown(reading, context)
        : slow(
            reading,
            'a majority of quick nodes is enough, so strict writes need not wait for it',
          );
    case 'coordinator':
      return isDown
        ? 'not heard from; another coordinator resolves what it left behind'
        : `its event loop runs ${roundTrip(reading)} late: every request to it waits that long`;
  }
}

function databaseDown(reading: NodeReading): string {
  return (
    `down${because(reading)}: every write answers DATABASE_UNAVAILABLE and changes nothing; ` +
    'reads of cached values go on, others fail; nothing acknowledged is lost'
  );
}

function cacheDown(reading: NodeReading, { hasStrict }: FullContext): string {
  const strict = hasStrict ? 'strict writes answer CACHE_UNAVAILABLE; ' : '';
  return (
    `down${because(reading)}: reads go to the database; ${strict}` +
    'other policies write and leave the cache step to the outbox'
  );
}

function cachePartDown(partFault: string, { hasStrict }: FullContext): string {
  const strict = hasStrict ? 'strict writes answer CACHE_UNAVAILABLE, ' : '';
  return (
    `${partFault}. For keys of these, reads go to the database, ${strict}` +
    'and other policies write and leave the cache step to the outbox; all other keys go on'
  );
}

function lockDown(reading: NodeReading, { locks, locksDown, hasStrict }: FullContext): string {
  const { group } = reading;
  const ofGroup = group === undefined ? '' : ` of group ${group}`;
  const whose = group === undefined ? '' : ' of this group’s keys';
  const share = `down${because(reading)}: ${locksDown} of ${locks} lock nodes${ofGroup} down`;
  const majority = Math.floor(locks / 2) + 1;
  const left = locks - locksDown;
  if (left < majority) {
    return hasStrict
      ? `${share}; strict writes${whose} answer LOCKS_UNAVAILABLE; other policies and all reads go on`
      : `${share}; no resource is strict, so nothing waits for locks`;
  }
  const spare = left - majority;
  return `${share}; a majority still answers, so everything goes on; ${spare} more may fail`;
}

function slow(reading: NodeReading, meaning: string): string {
  return `slow: answers after ${roundTrip(reading)}; ${meaning}`;
}

const because = ({ fault }: NodeReading): string => (fault === undefined ? '' : ` (${fault})`);
const roundTrip = ({ rttMs }: NodeReading): string =>
  rttMs === null ? 'too long' : `${Math.round(rttMs)} ms`;
