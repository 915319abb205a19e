import { expect } from 'vitest';
import { startStandby, type TestReplica } from '@lockstep/testkit/servers';
import type { ApiClient } from './api-client.ts';
import { startExternalServers, type ExternalServers } from './external-servers.ts';
import { eventually } from '@lockstep/testkit/poll';
import { newId } from './shop.ts';

export const RECOVERY = { withinMs: 90_000, everyMs: 50 };

/** A primary with a hot standby, one cache and the lock nodes: what the coordinators of one test file share. */
export class ReplicatedServers {
  #servers: ExternalServers | undefined;
  #standby: TestReplica | undefined;

  /** Starts them once. The configuration of a coordinator that reads the standby. */
  async world(): Promise<{ config: object }> {
    this.#servers ??= await startExternalServers('pg');
    this.#standby ??= await startStandby(this.#servers.database);
    const { connection, config } = this.#servers;
    const replicas = [this.#standby.server.url];
    const database = { client: 'pg', connection, replicas, pool: { min: 0, max: 8 } };
    return { config: { ...config, database } };
  }

  get external(): ExternalServers {
    return given(this.#servers);
  }

  get replica(): TestReplica {
    return given(this.#standby);
  }

  async whilePaused(work: () => Promise<void>): Promise<void> {
    await this.replica.pauseReplay();
    try {
      await work();
    } finally {
      await this.replica.resumeReplay();
    }
  }

  async stop(): Promise<void> {
    await this.#standby?.server.stop();
    await this.#servers?.stop();
  }
}

/** Each coordinator answers a miss from the replica. */
export async function untilReplicaIsRead(...apis: readonly ApiClient[]): Promise<void> {
  for (const api of apis) {
    let before = await missing(api);
    // A miss is filled by its first read: each time the one of before, which the replica has had time to reach.
    await eventually(async () => {
      const id = before;
      before = await missing(api);
      expect((await api.get('profile', id)).body).toMatchObject({ source: 'replica', version: 1 });
    }, RECOVERY);
  }
}

/** A row whose entry was invalidated. */
async function missing(api: ApiClient): Promise<number> {
  const id = newId();
  await api.put('profile', id, { name: 'x' });
  await api.post('/v1/invalidations', { keys: [{ resource: 'profile', key: id }] });
  return id;
}

/** A row with this name that has reached the standby, as each coordinator sees it. */
export async function replicated(name: string, ...apis: readonly ApiClient[]): Promise<number> {
  const id = newId();
  await apis[0]?.put('profile', id, { name });
  await apis[0]?.get('profile', id);
  await untilReplicaIsRead(...apis);
  return id;
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('The servers have not been started');
  return value;
}
