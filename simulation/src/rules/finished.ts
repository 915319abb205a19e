import type { Row } from '@lockstep/shared';
import { isComputed } from '../../../server/src/domain/index.ts';
import { sourcesOf } from '../services/card.ts';
import { isSameRow, type Referee } from './referee.ts';
import { keyOfEntry } from '../world/resources.ts';
import type { World } from '../world/world.ts';

/** What is still to be done in a world without faults; empty: nothing. */
export function unfinished(world: World): string[] {
  const { depth } = world.database.outbox.depth();
  return [
    ...(depth > 0 ? [`the outbox holds ${depth} rows`] : []),
    ...world.cache
      .keys()
      .filter((cacheKey) => world.cache.read(cacheKey)?.entry.state === 'intent')
      .map((cacheKey) => `an intent stands at ${cacheKey}`),
    ...world.lockNodes.flatMap((node, index) =>
      node.lockKeys().map((lockKey) => `lock ${index + 1} holds ${lockKey}`),
    ),
  ];
}

/** Checks at the end that nothing was given up, and every entry has its row's value. */
export function inspectFinished(world: World, referee: Referee): void {
  const { deadLetters } = world.database.outbox.depth();
  if (deadLetters > 0) referee.report('X5', '', `${deadLetters} dead letters`);
  for (const cacheKey of world.cache.keys()) {
    const key = keyOfEntry(world.resources, cacheKey);
    const entry = world.cache.read(cacheKey)?.entry;
    if (key === null || entry?.state !== 'value') continue;
    if (isComputed(key.resource)) {
      inspectComputed(world, referee, key.text, entry.row);
      continue;
    }
    const { version, row } = world.database.read(key);
    if (entry.version === version && isSameRow(entry.row, row)) continue;
    const found = `v${entry.version} ${JSON.stringify(entry.row)}`;
    referee.report('X5', cacheKey, `${found} stays cached, and the row is v${version}`);
  }
}

/** Checks that a computed value is what its loader would answer now. */
function inspectComputed(world: World, referee: Referee, id: string, row: Row | null): void {
  const cached = row?.['value'] ?? null;
  const versions = sourcesOf(world.resources, id).map(
    ([name, key]) => [name, world.database.read(key).version] as const,
  );
  if (isSameRow(cached as Row | null, Object.fromEntries(versions))) return;
  const found = `${JSON.stringify(cached)} stays cached`;
  referee.report('X5', `card:${id}`, `${found}, and its rows are ${JSON.stringify(versions)}`);
}
