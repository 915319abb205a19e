import { describe, expect, it } from 'vitest';
import { makeKey } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { AggregatedMetrics, createMetrics, type MetricFamilies } from './index.ts';
import { read, write } from './testing/events.ts';

const key = makeKey(resource(), ['1']);
const COUNTS = { serving: 2, wanted: 2, restarts: 0 };

/** What a worker tells after so many writes and reads. */
async function familiesAfter(
  { writes, held = 0, depth = 0 }: { writes: number; held?: number; depth?: number },
  instance = 'a',
): Promise<MetricFamilies> {
  const runtime = manualRuntime();
  const metrics = createMetrics({ instance, version: '1', runtime, processMetrics: false });
  for (let count = 0; count < writes; count++) metrics.telemetry.emit(write(key));
  metrics.telemetry.emit(read(key));
  metrics.observe({
    locks: () => ({ held: Array.from({ length: held }), waiting: [] }),
    outbox: () => ({ depth, oldestMs: null, deadLetters: 0 }),
  });
  return structuredClone(await metrics.families());
}

const WRITES =
  'lockstep_writes_total{resource="account",op="put",outcome="applied",code="",policy="strict"}';

describe('metrics of several workers (J9)', () => {
  it('are sums of counters and of histograms, by labels', async () => {
    const all = new AggregatedMetrics();
    all.note(0, await familiesAfter({ writes: 3 }));
    all.note(1, await familiesAfter({ writes: 4 }));
    const lines = (await all.text(COUNTS)).split('\n');
    expect(lines).toContain(`${WRITES} 7`);
    const count = 'lockstep_write_duration_seconds_count{resource="account",policy="strict"} 7';
    expect(lines.map(sortedLabels)).toContain(sortedLabels(count));
    expect(lines).toContain('lockstep_workers{state="serving"} 2');
  });

  it('add up what each worker has of its own, and show once what all of them read', async () => {
    const all = new AggregatedMetrics();
    all.note(0, await familiesAfter({ writes: 0, held: 2, depth: 5 }));
    all.note(1, await familiesAfter({ writes: 0, held: 3, depth: 6 }));
    const lines = (await all.text(COUNTS)).split('\n');
    expect(lines).toContain('lockstep_locks_held 5');
    expect(lines).toContain('lockstep_outbox_depth 6');
  });

  it('keep the counts of workers that have ended, and none of their gauges', async () => {
    const all = new AggregatedMetrics();
    all.note(0, await familiesAfter({ writes: 3, held: 2 }));
    all.note(1, await familiesAfter({ writes: 4 }));
    all.keepEnded(0);
    const meanwhile = (await all.text(COUNTS)).split('\n');
    expect(meanwhile).toContain(`${WRITES} 7`);
    expect(meanwhile).toContain('lockstep_locks_held 0');
    all.note(0, await familiesAfter({ writes: 1 }));
    all.keepEnded(0);
    all.keepEnded(0);
    expect((await all.text(COUNTS)).split('\n')).toContain(`${WRITES} 8`);
  });
});

/** Labels stand in another order where they were merged. */
const sortedLabels = (line: string): string =>
  line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join()}}`);
