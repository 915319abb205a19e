/** After the faults are over every tier must answer again, soon, and nothing may stay undone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../../support/api-client.ts';
import { eventually } from '@lockstep/testkit/poll';
import type { Cluster } from '../cluster/cluster.ts';
import { RESOURCE_NAMES } from '../cluster/tables.ts';
import { findUnfinished, type KeyRange } from './ground-truth.ts';

/** Within this after the last fault has ended: a second or two, and what a machine with other work adds. */
export const PROGRESS_BOUND_MS = 30_000;
const LOOK_EVERY_MS = 150;

export interface Progress {
  /** Who did not come back in time. */
  stuck: string[];
  /** What was still not in step then: outbox rows, intents, entries that are not their row. */
  unfinished: string[];
}

/** What did not come back in time; empty where everything did. */
export async function checkProgress(
  cluster: Cluster,
  range: KeyRange,
  healedAtMs: number,
): Promise<Progress> {
  const leftMs = (): number => Math.max(0, healedAtMs + PROGRESS_BOUND_MS - performance.now());
  const answers = await Promise.all(
    cluster.coordinators.map(({ name, url }) =>
      untilItServes(url, range, leftMs()).then(
        () => [],
        (error: unknown) => [`${name} does not serve: ${String(error)}`],
      ),
    ),
  );
  return { stuck: answers.flat(), unfinished: await untilFinished(cluster, range, leftMs()) };
}

/** Writes and reads the run's first key of every resource through this coordinator: the keys that everybody fought for. */
async function untilItServes(url: string, { firstId }: KeyRange, withinMs: number): Promise<void> {
  const api = new ApiClient(url, null, 4);
  try {
    await eventually(
      async () => {
        for (const resource of RESOURCE_NAMES) {
          // Refused by its condition: it goes all the way through lock, intent and database, and changes nothing.
          const write = await api.put(resource, firstId, { n: 0, writer: 'progress' }, UNMET);
          if (write.body.code !== 'VERSION_MISMATCH') throw new Error(write.text);
          const read = await api.get(resource, firstId);
          if (read.status !== 200 && read.status !== 404) throw new Error(read.text);
        }
      },
      { withinMs, everyMs: LOOK_EVERY_MS },
    );
  } finally {
    await api.close();
  }
}

const UNMET = { 'if-match': `"${Number.MAX_SAFE_INTEGER}"` };

async function untilFinished(
  cluster: Cluster,
  range: KeyRange,
  withinMs: number,
): Promise<string[]> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const unfinished = await findUnfinished(cluster.behind, range);
    if (unfinished.length === 0 || performance.now() > deadlineMs) return unfinished;
    await sleep(LOOK_EVERY_MS);
  }
}
