/** What the computed resource `card` is made of: the versions of the account and the note of its id. */
import type { Key, Resource } from '../../../server/src/domain/index.ts';
import type { Caller } from '../world/network.ts';
import { keyNamed } from '../world/resources.ts';
import { TIMING } from '../world/timing.ts';
import type { World } from '../world/world.ts';

export type Card = Record<Source, number>;

const SOURCES = ['account', 'note'] as const;
type Source = (typeof SOURCES)[number];

/** The rows from which a card is made. */
export function sourcesOf(
  resources: ReadonlyMap<string, Resource>,
  id: string,
): (readonly [Source, Key])[] {
  return SOURCES.map((name) => [name, keyNamed(resources, `${name}:${id}`)] as const);
}

/** A service's own reads of its tables, one after the other. @throws Unanswered */
export async function loadCard(world: World, service: Caller, id: string): Promise<Card> {
  const card: Card = { account: 0, note: 0 };
  for (const [name, key] of sourcesOf(world.resources, id)) {
    const about = key.cacheKey;
    const message = { name: 'load', about, timeoutMs: TIMING.databaseMs, repeatable: true };
    card[name] = await world.network.call(
      service,
      world.server('database'),
      { ...message, ordered: false },
      () => world.database.read(key).version,
    );
  }
  return card;
}
