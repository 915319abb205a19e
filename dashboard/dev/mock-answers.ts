/** Made-up answers of the API for operators. */
import type {
  AuditRunSummary,
  DriftClass,
  Finding,
  KeyInspection,
  ResourceSummary,
} from '@lockstep/shared';
// Imported by path, because Vite compiles what its configuration imports by path, and leaves packages to Node.
import { findingFilters } from '../../shared/src/findings.ts';
import { IS_CACHED } from '../../shared/src/policy.ts';

const none: Record<DriftClass, number> = {
  stale: 0,
  orphan: 0,
  'negative-stale': 0,
  corrupt: 0,
  'no-ttl': 0,
};
const bootMs = Date.now();

const resource = (name: string, policy: ResourceSummary['policy']): ResourceSummary => ({
  resource: name,
  table: `${name}s`,
  key: ['id'],
  policy,
  cacheKey: `${name}:{id}`,
  ttlMs: 600_000,
  audit: IS_CACHED[policy] ? { every: '1m', sample: 500, graceMs: 2000, repair: 'refresh' } : null,
});

/** The last runs; on a bad day one of them failed. */
export function runs(bad: boolean): AuditRunSummary[] {
  return Array.from({ length: 12 }, (_, i) => ({
    id: `run-${12 - i}`,
    resource: i % 2 ? 'airport' : 'account',
    trigger: i === 3 ? 'demand' : 'schedule',
    status: i === 0 && !bad ? 'running' : bad && i === 1 ? 'failed' : 'done',
    startedAtMs: bootMs - i * 30_000,
    endedAtMs: i === 0 && !bad ? null : bootMs - i * 30_000 + 2180,
    sampled: i === 0 ? 212 : 500,
    drift: i === 3 ? { ...none, stale: 4, orphan: 1, 'no-ttl': 1 } : none,
    repaired: i === 3 ? 6 : 0,
    failed: 0,
    repair: 'refresh',
    error: bad && i === 1 ? 'The cache did not answer in time' : null,
  }));
}

function findings(bad: boolean): Finding[] {
  const classes: DriftClass[] = ['stale', 'orphan', 'negative-stale', 'corrupt', 'no-ttl', 'stale'];
  const row = {
    id: 1042,
    owner: 'Ada Lovelace',
    balance: '1200.50',
    limits: { day: 500, month: 9000 },
    tags: ['a', 'b'],
  };
  return classes.map((drift, i): Finding => ({
    id: `finding-${i}`,
    runId: 'run-9',
    resource: i % 2 ? 'airport' : 'account',
    key: ['1042', 'SEA', '42', 'LAX', '7', '318'][i] ?? '1',
    cacheKey: 'account:1042',
    class: drift,
    foundAtMs: bootMs - 90_000 - i,
    sampledFrom: (['cache', 'table', 'recent', 'hot'] as const)[i % 4] ?? 'cache',
    database: { version: 18, row: drift === 'orphan' ? null : row },
    cache: {
      version: drift === 'corrupt' ? null : 17,
      row:
        drift === 'corrupt' || drift === 'negative-stale'
          ? null
          : { ...row, balance: '1250.00', limits: { day: 400, month: 9000 } },
      ageMs: 81_000,
      ttlMs: drift === 'no-ttl' ? null : 412_000,
      text: drift === 'corrupt' ? '{"s":"value","v":' : null,
    },
    status: bad && i < 2 ? 'open' : 'repaired',
    repair: bad && i < 2 ? null : { rule: 'refresh', atMs: bootMs - 89_000, error: null },
  }));
}

function inspect(parts: string[]): KeyInspection {
  const row = {
    id: 1042,
    owner: 'Ada Lovelace',
    balance: '1200.50',
    opened: '2024-03-01T00:00:00.000Z',
  };
  const held = parts.at(-1) === 'JFK';
  return {
    resource: parts.at(-2) ?? '',
    key: decodeURIComponent(parts.at(-1) ?? ''),
    cacheKey: `${parts.at(-2)}:${parts.at(-1)}`,
    policy: 'strict',
    database: { version: 18, fence: 1_760_000_000_123_456, row },
    cache: {
      state: 'value',
      version: held ? 17 : 18,
      fence: 1_760_000_000_123_456,
      ageMs: 4210,
      ttlMs: 595_790,
      value: held ? { ...row, balance: '1250.00' } : row,
      bytes: 184,
    },
    lock: held
      ? { instance: 'coordinator-1', heldMs: 3200, leftMs: 6100, waiting: 2, purpose: 'lease' }
      : null,
    home: { instance: 'coordinator-1', url: 'http://127.0.0.1:7400', isSelf: true },
    agrees: !held,
    events: Array.from({ length: 8 }, (_, i) => ({
      atMs: Date.now() - i * 4000,
      instance: 'coordinator-1',
      type: ['write', 'read', 'read', 'audit drift'][i % 4] ?? 'read',
      detail:
        [
          'version 18, fence 1760000000123456, cache fresh',
          'from the cache',
          'from the primary',
          'stale, repaired by refresh',
        ][i % 4] ?? '',
    })),
  };
}

/** The answer to one call. */
export function answer(url: URL, method: string, mood: string): unknown {
  const parts = url.pathname.split('/').slice(3);
  const bad = mood === 'bad';
  switch (`${method} ${parts[0]}`) {
    case 'GET session':
      return { instance: 'coordinator-1', version: '0.1.0', demo: true, startedAtMs: bootMs };
    case 'GET resources':
      return {
        resources: [
          resource('account', 'strict'),
          resource('airport', 'delete-after-write'),
          resource('flight', 'none'),
        ],
      };
    case 'POST audits':
      return {
        resource: 'account',
        sampled: 500,
        drift: { ...none, stale: 2 },
        repaired: 2,
        failed: 0,
        runId: 'run-13',
      };
    case 'GET audits':
      return { runs: runs(bad) };
    case 'GET findings': {
      const list = mood === 'empty' ? [] : findings(bad);
      return {
        findings: list.filter((one) =>
          findingFilters.every(([name, { field }]) => {
            const wanted = url.searchParams.get(name);
            return name === 'run' || wanted === null || wanted === one[field];
          }),
        ),
        next: null,
      };
    }
    case 'POST findings':
      return { ...findings(true)[Number(parts[1]?.slice(8))], status: 'repaired' };
    case 'GET keys':
      return inspect(parts);
    case 'GET outbox':
      return {
        deadLetters: bad
          ? [
              {
                id: '1',
                resource: 'airport',
                key: 'SEA',
                version: 4,
                attempts: 20,
                createdAtMs: bootMs - 600_000,
                error: 'The cache refused the script: OOM',
              },
            ]
          : [],
      };
    case 'POST demo':
      return {
        made: [
          { key: '1042', kind: 'database' },
          { key: '42', kind: 'cache' },
        ],
      };
    default:
      return {};
  }
}
