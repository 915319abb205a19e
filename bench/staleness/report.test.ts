import { describe, expect, test } from 'vitest';
import { CONTENDER_NAMES, type ContenderName } from './contender.ts';
import { Judge } from './judge.ts';
import { findFailures, formatReport, type Row, type RunResult, summarize } from './report.ts';
import { Samples } from './samples.ts';

function runResult(contender: ContenderName, parts: Partial<RunResult['load']> = {}): RunResult {
  const [readMs, writeMs] = [new Samples(), new Samples()];
  for (let ms = 1; ms <= 100; ms++) readMs.add(ms);
  writeMs.add(7);
  return {
    contender,
    faults: null,
    load: {
      requests: 200,
      tookMs: 2_000,
      judge: new Judge(1),
      readMs,
      writeMs,
      writes: 20,
      databaseReads: 50,
      errors: {},
      acknowledged: { writes: new Int32Array(2), additions: new Int32Array(2) },
      ...parts,
    },
    aftermath: { staleForGood: 0, lostUpdates: 0 },
  };
}

/** A judge that has seen one stale read. */
function staleJudge(inStep: boolean): Judge {
  const judge = new Judge(1);
  judge.onWrite(1, { n: 1, inStep }, 10);
  judge.onRead(1, 0, judge.send(1, 15));
  return judge;
}

const baseline = (): Row => summarize(runResult('cache-aside', { judge: staleJudge(true) }));

describe('a row of the report', () => {
  test('gives rates a second, quantiles and shares', () => {
    expect(summarize(runResult('strict'))).toMatchObject({
      requests: 200,
      staleReads: 0,
      staleAgeMs: null,
      requestsPerSecond: 100,
      writesPerSecond: 10,
      readMs: { p50: 50, p99: 99 },
      writeMs: { p50: 7, p99: 7 },
      databaseReads: 50,
      databaseReadsPerRequest: 0.25,
      errors: 0,
    });
  });

  test('says how old stale reads were', () => {
    expect(baseline()).toMatchObject({ staleReads: 1, staleAgeMs: { p50: 5, p99: 5, max: 5 } });
  });

  test('adds up errors of all kinds', () => {
    const row = summarize(runResult('strict', { errors: { FENCED: 2, UNREACHABLE: 3 } }));
    expect(row).toMatchObject({ errors: 5, errorsByKind: { FENCED: 2, UNREACHABLE: 3 } });
  });
});

describe('the verdict', () => {
  test('passes if only the hand-written strategies are stale', () => {
    expect(findFailures([baseline(), summarize(runResult('strict'))])).toEqual([]);
  });

  test('fails on one stale read of a strict row', () => {
    const row = summarize(runResult('strict', { judge: staleJudge(false) }));
    expect(findFailures([row])).toEqual([
      expect.stringMatching(/^strict without faults: a promise is broken .*"key":1/),
    ]);
  });

  test.each(['delete-after-write', 'delayed-double-delete', 'change-log'] as const)(
    'fails on a stale read of %s unless its answer had said so',
    (name) => {
      const excused = summarize(runResult(name, { judge: staleJudge(false) }));
      const unexcused = summarize(runResult(name, { judge: staleJudge(true) }));
      expect(findFailures([excused])).toEqual([]);
      expect(findFailures([unexcused])).toHaveLength(1);
    },
  );

  test('fails if the baseline was not stale: such a load proves nothing', () => {
    expect(findFailures([summarize(runResult('cache-aside'))])).toHaveLength(1);
  });

  test('fails on errors that no fault explains', () => {
    const run = runResult('strict', { errors: { TIMEOUT: 1 } });
    expect(findFailures([summarize(run)])).toHaveLength(1);
    expect(findFailures([summarize({ ...run, faults: { killed: 1 } })])).toEqual([]);
  });
});

test('the table has a line for every row, with faults and without', () => {
  const rows = CONTENDER_NAMES.flatMap((contender) => [
    summarize(runResult(contender)),
    summarize({ ...runResult(contender), faults: {} }),
  ]);
  const text = formatReport({ requests: 200, seed: 1, rows });
  for (const name of CONTENDER_NAMES)
    expect(text.match(new RegExp(`^${name} `, 'gm'))).toHaveLength(4);
});
