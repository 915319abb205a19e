import { describe, expect, test } from 'vitest';
import { measuredOf, STRATEGIES } from '../../lab/src/index.ts';
import measurements from '../results/staleness.json' with { type: 'json' };
import { CONTENDER_NAMES, LAB_STRATEGIES } from './contender.ts';
import type { Row } from './report.ts';
import { measurementsOf } from './save.ts';

const ROW: Row = {
  contender: 'cache-aside',
  faults: true,
  requests: 1_000,
  reads: 900,
  staleReads: 3,
  staleAgeMs: { p50: 1, p99: 2, max: 3 },
  unexcusedReads: 3,
  backwardReads: 1,
  staleForGood: 0,
  lostUpdates: 0,
  requestsPerSecond: 100,
  writesPerSecond: 10,
  writeMs: { p50: 1, p99: 9 },
  readMs: { p50: 1, p99: 2 },
  databaseReads: 90,
  databaseReadsPerRequest: 0.09,
  findings: [],
  errors: 0,
  errorsByKind: {},
  faultsInjected: {},
};

describe('the saved figures', () => {
  test('name the run, the machine and the lab strategy of each row', () => {
    const saved = measurementsOf(
      { requests: 1_000, seed: 7, rows: [ROW] },
      {
        date: new Date('2026-01-02T03:04:05Z'),
        command: 'npm run bench:staleness -- --save',
        note: 'nothing else ran',
        servers: { database: 'PostgreSQL 18.0', cache: 'Redis 7.0' },
        failures: [],
      },
    );
    expect(saved).toMatchObject({
      date: '2026-01-02T03:04:05.000Z',
      command: 'npm run bench:staleness -- --save',
      note: 'nothing else ran',
      seed: 7,
      rows: [{ contender: 'cache-aside', strategy: 'database-then-delete', reads: 900 }],
    });
    expect(saved.machine.cores).toBeGreaterThan(0);
  });

  test('that are checked in name only contenders and strategies that exist', () => {
    const strategies = new Set<string | null>([null, ...STRATEGIES.map(({ name }) => name)]);
    for (const { contender, strategy } of measurements.rows) {
      expect(CONTENDER_NAMES).toContain(contender);
      expect(strategies).toContain(strategy);
    }
    expect(Object.values(LAB_STRATEGIES).filter((name) => !strategies.has(name))).toEqual([]);
  });

  test('that are checked in cover every strategy, without faults and with them', () => {
    for (const { name } of STRATEGIES) {
      const { withoutFaults, withFaults } = measuredOf(measurements, name);
      expect([name, withoutFaults?.reads, withFaults?.reads]).toEqual([
        name,
        expect.any(Number),
        expect.any(Number),
      ]);
    }
  });
});
