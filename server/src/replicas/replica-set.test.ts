import { describe, expect, it } from 'vitest';
import type { ReplicaDatabase, SqlRow, SqlRunner, SqlStatement } from '../database/index.ts';
import { makeKey, type TelemetryEvent } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime, type ManualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { DIALECTS } from '../dialects/index.ts';
import { pgPositions } from '../dialects/postgres/replica-positions.ts';
import { ReplicaSet } from './replica-set.ts';

const KEY = makeKey(resource(), ['1']);
const POLL_MS = 250;

/** A server that reports its log position. A `text` of null: it does not replicate. */
class Server {
  identity = 'one';
  position: string | null = '0/10';
  isAway = false;
  reads = 0;
  rowVersion = 1;

  get sql(): SqlRunner {
    const run = (statement: SqlStatement) => {
      if (this.isAway) return Promise.reject(new Error('away'));
      const rows: SqlRow[] =
        statement === pgPositions.identity
          ? [{ identity: this.identity }]
          : [{ position: this.position }];
      return Promise.resolve({ rows, affected: 0, insertId: null });
    };
    const refuse = (): Promise<never> => Promise.reject(new Error('not asked here'));
    return { dialect: DIALECTS.pg, run, transaction: refuse, session: refuse };
  }

  asReplica(): ReplicaDatabase {
    return {
      sql: this.sql,
      readSurrounded: () => {
        this.reads += 1;
        if (this.isAway) return Promise.reject(new Error('away'));
        const at = { position: this.position };
        return Promise.resolve({
          before: at,
          row: { version: this.rowVersion, fence: 0, row: null },
          after: at,
        });
      },
      close: () => Promise.resolve(),
    };
  }
}

interface World {
  primary: Server;
  replicas: Server[];
  set: ReplicaSet;
  runtime: ManualRuntime;
  results: () => string[];
}

async function setUp(count = 1, change?: (replicas: Server[]) => void): Promise<World> {
  const runtime = manualRuntime();
  const primary = new Server();
  const replicas = Array.from({ length: count }, () => new Server());
  change?.(replicas);
  const events: TelemetryEvent[] = [];
  const set = new ReplicaSet({
    sql: primary.sql,
    replicas: replicas.map((replica) => replica.asReplica()),
    telemetry: { emit: (event) => void events.push(event) },
    runtime,
  });
  await set.start();
  const results = (): string[] =>
    events.map((event) => (event.type === 'replica-asked' ? event.result : event.type));
  return { primary, replicas, set, runtime, results };
}

const read = ({ set }: World, after: string[] = ['16'], leastVersion = 0) =>
  set.read(KEY, { after, leastVersion });
const first = ({ replicas }: World): Server => {
  const [replica] = replicas;
  if (replica === undefined) throw new Error('no replica');
  return replica;
};

describe('a replica is read', () => {
  it('G1: only where it says, before the row, that it has reached what is needed', async () => {
    const world = await setUp();
    expect(await read(world)).toMatchObject({ row: { version: 1 }, reached: '16', upTo: '16' });
    expect(await read(world, ['17'])).toBeNull();
    expect(world.results()).toEqual(['read', 'behind']);
    // It was asked all the same, because it had everything at its last poll.
    expect(first(world).reads).toBe(2);
  });

  it('G1: never for a position that is unknown, nor without any', async () => {
    const world = await setUp();
    expect(await read(world, ['*', '1'])).toBeNull();
    expect(await read(world, [])).toBeNull();
    expect(first(world).reads).toBe(0);
  });

  it('G1: never with an older version than the tombstone said', async () => {
    const world = await setUp();
    expect(await read(world, ['1'], 2)).toBeNull();
    expect(await read(world, ['1'], 1)).not.toBeNull();
  });

  it('G2: for a miss without a tombstone, where it has reached a young enough position', async () => {
    const world = await setUp();
    const young = () => world.set.read(KEY, { after: [], youngerThanMs: 750, leastVersion: 0 });
    expect(await young()).not.toBeNull();
    world.primary.position = '0/20';
    await world.runtime.advance(POLL_MS);
    // The earlier position is still young enough, and the replica has reached it.
    expect(await young()).toMatchObject({ reached: '16' });
    await world.runtime.advance(4 * POLL_MS);
    expect(await young()).toBeNull();
    first(world).position = '0/20';
    await world.runtime.advance(POLL_MS);
    expect(await young()).toMatchObject({ reached: '32' });
  });

  it('G2: not while nobody knows where the primary is', async () => {
    const world = await setUp();
    world.primary.isAway = true;
    await world.runtime.advance(4 * POLL_MS);
    const need = { after: [], youngerThanMs: 750, leastVersion: 0 };
    expect(await world.set.read(KEY, need)).toBeNull();
    expect(await world.set.current()).toBeNull();
  });

  it('in turn with the others that have it', async () => {
    const world = await setUp(3, ([, second]) => {
      if (second !== undefined) second.position = '0/1';
    });
    for (let count = 0; count < 6; count += 1) expect(await read(world)).not.toBeNull();
    expect(world.replicas.map(({ reads }) => reads)).toEqual([3, 0, 3]);
  });
});

describe('a replica that fails', () => {
  it('G3: is put aside at once, for a pause that doubles, and comes back by itself', async () => {
    const world = await setUp();
    const replica = first(world);
    replica.isAway = true;
    expect(await read(world)).toBeNull();
    expect(world.results()).toEqual(['failed']);
    expect(await read(world)).toBeNull();
    expect(replica.reads).toBe(1);
    expect(world.set.reports()[0]).toMatchObject({ status: 'down', fault: 'it does not answer' });
    await world.runtime.advance(10_000);
    replica.isAway = false;
    await world.runtime.advance(11_000);
    expect(await read(world)).not.toBeNull();
    expect(world.set.reports()[0]).toMatchObject({ status: 'up', lagMs: 0 });
  });

  it('G3: does not keep a start waiting for good', async () => {
    const world = await setUp(1, ([replica]) => {
      if (replica !== undefined) replica.isAway = true;
    });
    expect(await read(world)).toBeNull();
    expect(first(world).reads).toBe(0);
  });

  it('G5: or is one of another primary is never read, however far its log is', async () => {
    const world = await setUp(1, ([replica]) => {
      if (replica === undefined) return;
      replica.identity = 'another';
      replica.position = 'FF/0';
    });
    expect(await read(world)).toBeNull();
    expect(first(world).reads).toBe(0);
    expect(world.set.reports()[0]).toMatchObject({
      status: 'down',
      fault: 'it is a standby of another system',
    });
  });

  it('G5: or has more than the primary is not read: it follows another', async () => {
    const world = await setUp(1, ([replica]) => {
      if (replica !== undefined) replica.position = '0/20';
    });
    expect(await read(world)).toBeNull();
    expect(first(world).reads).toBe(0);
    expect(world.set.reports()[0]?.fault).toMatch(/more than the primary/);
    world.primary.position = '0/20';
    await world.runtime.advance(11_000);
    expect(await read(world)).not.toBeNull();
  });

  it('G5: nor where its primary was set back while it was read', async () => {
    const world = await setUp();
    expect(await read(world)).not.toBeNull();
    world.primary.position = '0/8';
    await world.runtime.advance(POLL_MS);
    expect(await read(world, ['1'])).toBeNull();
    expect(world.set.reports()[0]?.fault).toMatch(/more than the primary/);
  });

  it('G5: or was promoted is not read any more', async () => {
    const world = await setUp();
    first(world).position = null;
    expect(await read(world)).toBeNull();
    expect(world.results()).toEqual(['failed']);
    expect(world.set.reports()[0]).toMatchObject({ fault: 'it does not replicate' });
  });
});

describe('the lag of a replica', () => {
  it('grows from when the primary was where the replica still has to come', async () => {
    const world = await setUp();
    expect(world.set.reports()[0]).toMatchObject({ lagMs: 0, status: 'up' });
    for (let byte = 0x20; byte < 0x60; byte += 1) {
      world.primary.position = `0/${byte.toString(16)}`;
      await world.runtime.advance(POLL_MS);
    }
    const [report] = world.set.reports();
    expect(report?.lagMs).toBeGreaterThan(15_000);
    expect(report?.status).toBe('slow');
    expect(report?.fault).toMatch(/1\d s behind/);
    expect(world.set.lagMs()).toBeGreaterThan(15_000);
  });
});
