/** What has to be known of a Cluster beyond single commands: which member has a key, and keys that a member has. */
import { createHash } from 'node:crypto';
import calculateSlot from 'cluster-key-slot';
import { Cluster, type Redis } from 'ioredis';

export type RedisClient = Redis | Cluster;

/**
 * Of each Cluster the names of the slots' masters. ioredis' own list is shared by the slots of a range, so that one
 * `MOVED` would rename the whole range until the next refresh.
 */
const slotNames = new WeakMap<Cluster, readonly string[]>();

/** Must be called once for each client of a Cluster, before it connects. */
export function followSlots(cluster: Cluster): void {
  cluster.on('refresh', () => {
    const slots: readonly (readonly string[] | undefined)[] = cluster.slots;
    slotNames.set(
      cluster,
      Array.from(slots, (names) => names?.[0] ?? ''),
    );
  });
  cluster.on('+node', (member: Redis) => {
    const asking = member.asking.bind(member);
    // The client forgets the answer of ASKING, and a rejection that nobody hears would end the process.
    Object.assign(member, {
      asking: (): Promise<unknown> => {
        const answer = asking();
        answer.catch(() => undefined);
        return answer;
      },
    });
  });
}

const namesOf = (cluster: Cluster): readonly string[] => slotNames.get(cluster) ?? [];

export const isCluster = (client: RedisClient): client is Cluster => client instanceof Cluster;

/** Keys of one slot belong to one master. */
export const slotOf = (key: string): number => calculateSlot(key);

/** A master of a Cluster that has slots. */
export interface ClusterMaster {
  /** Its address as the Cluster names it. */
  name: string;
  /** Its client, connected or not; null where there is none. */
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
  for (const [slot, name] of namesOf(cluster).entries()) {
    if (name !== '' && !masters.has(name))
      masters.set(name, { name, client: clients.get(name) ?? null, slot });
  }
  return [...masters.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The name of the master that has the key, as the client knows it now; null: it is not known. */
export const masterOfKey = (cluster: Cluster, key: string): string | null =>
  namesOf(cluster)[slotOf(key)] || null;

/** The clients of those masters that have one. */
export const connectedMasters = (cluster: Cluster): Redis[] =>
  mastersOf(cluster).flatMap(({ client }) => client ?? []);

/** Which master has which slots, as the masters themselves say. */
export interface SlotLayout {
  /** Another one after each change. */
  digest: string;
  /** Keys are being moved from one master to another, or masters are known that were not asked. */
  isMoving: boolean;
}

/** Rejects where a master is away. */
export async function layoutOf(cluster: Cluster): Promise<SlotLayout> {
  const views = await Promise.all(
    mastersOf(cluster).map(async ({ name, client }) => {
      if (client === null) throw new Error(`The master ${name} is not connected.`);
      const nodes = String(await client.call('CLUSTER', 'NODES'));
      const own = nodes.split('\n').find((line) => line.includes('myself')) ?? '';
      return { own: nodeIn(own), all: nodes.split('\n').map(nodeIn) };
    }),
  );
  const asked = new Set(views.map(({ own }) => own.id));
  const slots = views.map(({ own }) => `${own.id} ${own.slots}`).sort();
  const isUnasked = views.some(({ all }) =>
    all.some((node) => node.isMaster && !asked.has(node.id)),
  );
  return {
    digest: createHash('sha1').update(slots.join('\n')).digest('hex'),
    isMoving: isUnasked || slots.some((each) => each.includes('[')),
  };
}

/** A line of CLUSTER NODES: ID ADDRESS FLAGS PRIMARY PING PONG EPOCH STATE SLOT…; a slot that moves is in brackets. */
function nodeIn(line: string): { id: string; slots: string; isMaster: boolean } {
  const [id = '', , flags = '', , , , , , ...slots] = line.split(' ');
  const isMaster = flags.split(',').includes('master') && !flags.includes('fail');
  return { id, slots: slots.join(' '), isMaster: isMaster && slots.length > 0 };
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
