import { describe, expect, it } from 'vitest';
import { CacheKeyTemplate, type Resource } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Leadership } from '../jobs/index.ts';
import { nextDefinition, type StoredDefinition } from './definition.ts';
import { Switching } from './service.ts';

const before = resource({ policy: 'delete-after-write' });
const after = resource({ policy: 'strict', cacheKey: new CacheKeyTemplate('accounts/{id}') });
const first = nextDefinition(before, null);
const second = nextDefinition(after, first);
const CHANGES = [
  { field: 'policy', from: 'delete-after-write', to: 'strict' },
  { field: 'cacheKey', from: 'account:{id}', to: 'accounts/{id}' },
];

/** A coordinator that has `own`, on a database that has `definition` as epoch 2. */
function coordinator(own: Resource, definition: StoredDefinition, isComplete: boolean): Switching {
  const never = (): Promise<never> => Promise.reject(new Error('not asked for'));
  const runtime = manualRuntime();
  const standing = { resource: own.name, epoch: 2, isComplete, definition };
  return new Switching({
    store: {
      standings: never,
      adopt: () => Promise.resolve([standing]),
      writesEnded: never,
      complete: never,
    },
    leadership: new Leadership({ elect: never, renew: never, resign: never }, runtime),
    scanner: { scan: never },
    entries: { available: true, invalidateMany: never },
    resources: new Map([[own.name, own]]),
    forgetGeneration: never,
    endStreams: never,
    runtime,
  });
}

async function reported(
  own: Resource,
  definition: StoredDefinition,
  isComplete: boolean,
): Promise<ReturnType<Switching['report']>> {
  const switching = coordinator(own, definition, isComplete);
  await switching.adopt([after], 'lead');
  return switching.report();
}

describe('the report of switches', () => {
  it('says from what to what a resource is switched, until the switch is complete', async () => {
    const own = { ...after, epoch: 2 };
    expect(await reported(own, second, false)).toEqual([
      { resource: 'account', state: 'settling', changes: CHANGES },
    ]);
    expect(await reported(own, second, true)).toEqual([]);
  });

  it('says that a resource is new where it was nothing before', async () => {
    expect(await reported({ ...before, epoch: 2 }, first, false)).toEqual([
      { resource: 'account', state: 'settling', changes: [] },
    ]);
  });

  it('says what another coordinator has switched and this one has not, complete or not', async () => {
    for (const isComplete of [false, true]) {
      expect(await reported({ ...before, epoch: 1 }, second, isComplete)).toEqual([
        { resource: 'account', state: 'not-followed', changes: CHANGES },
      ]);
    }
  });

  it('knows no former definition where an earlier release has stored it', async () => {
    const { before: _before, ...stored } = second;
    expect(await reported({ ...after, epoch: 2 }, stored, false)).toMatchObject([
      { state: 'settling', changes: [] },
    ]);
  });
});

describe('a coordinator that follows a switch', () => {
  it('keeps the state of the tables that the cluster has swept for, so that its next look leads (P11)', async () => {
    const tables = { server: 'db:1', digest: 'before the truncate' };
    const now = { ...after, tables: { server: 'db:1', digest: 'after the truncate' } };
    const switching = coordinator(now, nextDefinition({ ...after, tables }, first), true);
    const [adopted] = await switching.adopt([now], 'follow');
    expect(adopted).toMatchObject({ epoch: 2, tables });
  });
});
