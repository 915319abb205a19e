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

const dashboard = z
  .object({
    uid: z.string(),
    templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
    panels: z.array(
      z.object({
        id: z.number(),
        title: z.string().min(1),
        gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
        targets: z.array(z.object({ expr: z.string() })).optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(repositoryPath('ops/grafana/lockstep.json'), 'utf8')));

it('every panel for Grafana is about metrics and variables that there are', async () => {
  const known = await metricNames();
  const variables = ['__rate_interval', ...dashboard.templating.list.map(({ name }) => name)];
  for (const { title, targets = [] } of dashboard.panels) {
    for (const { expr } of targets) {
      for (const name of expr.match(/\blockstep_\w+/g) ?? [])
        expect(known.has(name.replace(/_(bucket|sum|count)$/, '')), `${title}: ${name}`).toBe(true);
      for (const [, name = ''] of expr.matchAll(/\$(\w+)/g)) expect(variables).toContain(name);
    }
  }
});

it('no panel for Grafana lies over another one', () => {
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});
