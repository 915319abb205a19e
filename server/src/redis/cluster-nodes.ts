/** What has to be known of a Cluster beyond single commands: which member has a key, and keys that a member has. */
import { createHash } from 'node:crypto';
import calculateSlot from 'cluster-key-slot';
import { Cluster, type Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;

export const isCluster = (client: RedisClient): client is Cluster => client instanceof Cluster;

/** Keys of one slot are on one member, whatever is moved. */
export const slotOf = (key: string): number => calculateSlot(key);

/** A master of a Cluster that has slots. */
export interface ClusterMaster {
  /** Its address as the Cluster names it. */
  name: string;
  /** Null while it is not connected. */
  client: Redis | null;
  /** One of its slots. */
  slot: number;
}

/** The masters that have slots, as the client knows them now, in the order of their names. */
export function mastersOf(cluster: Cluster): ClusterMaster[] {
  const clients = new Map(
    cluster.nodes('master').map((client) => [nameOf(client), client] as const),
  );
  const masters = new Map<string, ClusterMaster>();
  for (const [slot, [name = ''] = []] of cluster.slots.entries()) {
    if (name !== '' && !masters.has(name))
      masters.set(name, { name, client: clients.get(name) ?? null, slot });
  }
  return [...masters.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The name of the master that has the key, as the client knows it now; null: it is not known. */
export const masterOfKey = (cluster: Cluster, key: string): string | null =>
  cluster.slots[slotOf(key)]?.[0] ?? null;

/** Those of them that are connected. */
export const connectedMasters = (cluster: Cluster): Redis[] =>
  mastersOf(cluster).flatMap(({ client }) => client ?? []);

/** Which master has which slots, as the masters themselves say. */
export interface SlotLayout {
  /** Another one after each change. */
  digest: string;
  /** Keys are being moved from one master to another. */
  isMoving: boolean;
}

/** Rejects where a master is away. */
export async function layoutOf(cluster: Cluster): Promise<SlotLayout> {
  const views = await Promise.all(
    mastersOf(cluster).map(async ({ name, client }) => {
      if (client === null) throw new Error(`The master ${name} is not connected.`);
      const nodes = String(await client.call('CLUSTER', 'NODES'));
      const own = nodes.split('\n').find((line) => line.includes('myself')) ?? '';
      // ID ADDRESS FLAGS PRIMARY PING PONG EPOCH STATE SLOT…; a slot that moves is in brackets.
      const [id = ''] = own.split(' ', 1);
      return [id, ...own.split(' ').slice(8)].join(' ');
    }),
  );
  const digest = createHash('sha1').update(views.sort().join('\n')).digest('hex');
  return { digest, isMoving: views.some((view) => view.includes('[')) };
}

/** Keys by their slots, so that there is a key for every member. */
export class KeysBySlot {
  readonly #prefix: string;
  readonly #keys = new Map<number, string>();
  #next = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A key that begins with the prefix and is in the slot. */
  keyIn(slot: number): string {
    for (;;) {
      const known = this.#keys.get(slot);
      if (known !== undefined) return known;
      const key = `${this.#prefix}:${(this.#next += 1)}`;
      const found = slotOf(key);
      if (!this.#keys.has(found)) this.#keys.set(found, key);
    }
  }
}

const nameOf = ({ options: { host = '', port = 0 } }: Redis): string => `${host}:${port}`;
