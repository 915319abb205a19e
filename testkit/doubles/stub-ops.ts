import { type AuditReport, type Finding, type KeyInspection } from '@lockstep/shared';
import { LockstepError } from '../../server/src/domain/index.ts';
import type { OpsServices } from '../../server/src/api/ports.ts';

const drift = { stale: 1, orphan: 0, 'negative-stale': 0, corrupt: 0, 'no-ttl': 0 };

/** Operators' services that answer something; `asked` records with what they were called. */
export function stubOps(asked: unknown[] = []): OpsServices {
  const report = (resource: string): AuditReport => ({
    resource,
    sampled: 10,
    drift,
    repaired: 1,
    failed: 0,
    runId: 'r1',
  });
  return {
    session: () => ({ instance: 'i1', version: '0.0.0', demo: true, startedAtMs: 1 }),
    reload: () =>
      Promise.resolve({
        added: [],
        removed: [],
        changed: [],
        switched: ['account'],
        settled: true,
      }),
    isSwitching: () => false,
    staleWatch: { report: () => [] },
    sweep: (resources) => {
      const names = resources.map(({ name }) => name);
      asked.push({ sweep: names });
      return Promise.resolve({ resources: names, removed: 3, intents: 1 });
    },
    audits: {
      run: (resource, options) => {
        asked.push({ resource: resource.name, ...options });
        return Promise.resolve(report(resource.name));
      },
      runs: (filter) => {
        asked.push(filter);
        return Promise.resolve([]);
      },
      findings: (filter) => {
        asked.push(filter);
        return Promise.resolve({ findings: [], next: null });
      },
      repairFinding: (id, rule) =>
        id === 'f1'
          ? Promise.resolve({ id, repair: { rule, atMs: 1, error: null } } as Finding)
          : Promise.reject(new LockstepError('NOT_FOUND', 'There is no such finding.')),
    },
    refreshes: {
      run: ({ name }, trigger) => {
        asked.push({ resource: name, trigger });
        return Promise.resolve({ resource: name, rows: 3, removed: 1, tookMs: 5 });
      },
      overview: () => Promise.resolve([]),
    },
    deadLetters: {
      deadLetters: () => Promise.resolve([]),
      retryDeadLetter: (id) => Promise.resolve(id === 'd1'),
      discardDeadLetter: (id) => Promise.resolve(id === 'd1'),
    },
    inspectKey: (key) =>
      Promise.resolve({ resource: key.resource.name, key: key.text } as KeyInspection),
    demo: {
      makeDrift: (resource, count, kind = 'cache') =>
        Promise.resolve({
          made: Array.from({ length: count }, () => ({ key: resource.name, kind })),
        }),
    },
  };
}
