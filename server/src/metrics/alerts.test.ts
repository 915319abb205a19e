import { readFileSync } from 'node:fs';
import { repositoryPath } from '@lockstep/testkit/repository';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { GaugeSources } from './gauges.ts';
import { createMetrics } from './index.ts';

const rules = z
  .object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({
            alert: z.string(),
            expr: z.string(),
            labels: z.object({ severity: z.enum(['page', 'ticket']) }),
            annotations: z.object({ summary: z.string(), runbook: z.string() }),
          }),
        ),
      }),
    ),
  })
  .parse(parse(readFileSync(repositoryPath('ops/prometheus/alerts.yaml'), 'utf8')))
  .groups.flatMap((group) => group.rules);

const SOURCES: Record<keyof GaugeSources, true> = {
  ...{ locks: true, leases: true, guards: true, outbox: true, audit: true, nodes: true },
  ...{ refreshes: true, replicas: true, members: true, cacheRefusals: true, changeLog: true },
  shadow: true,
};

/** Of all metrics, whatever is configured. */
async function metricNames(): Promise<Set<string>> {
  const runtime = manualRuntime();
  const metrics = createMetrics({
    instance: 'a',
    version: '1.2.3',
    runtime,
    processMetrics: false,
  });
  const nothing = () => Promise.reject(new Error('it is not asked'));
  metrics.observe(Object.fromEntries(Object.keys(SOURCES).map((source) => [source, nothing])));
  const text = metrics.text();
  await runtime.advance(1_000);
  return new Set([...(await text).matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name));
}

it('every alert is about metrics that there are', async () => {
  const known = await metricNames();
  for (const { alert, expr } of rules) {
    const named = expr.match(/\blockstep_\w+/g) ?? [];
    for (const name of named)
      expect(known.has(name.replace(/_(bucket|sum|count)$/, '')), `${alert}: ${name}`).toBe(true);
    expect(named.length > 0 || expr.startsWith('up{'), alert).toBe(true);
  }
});

it('every alert has its entry in the runbook, and each entry its alert', () => {
  const runbook = readFileSync(repositoryPath('docs/runbook.md'), 'utf8');
  const entries = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name = '']) => name);
  expect(entries).toEqual(rules.map(({ alert }) => alert));
  for (const { alert, annotations } of rules)
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
});
