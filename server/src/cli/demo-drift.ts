import { POLICIES } from '@lockstep/shared';
import { driftReport } from '@lockstep/shared/ops';
import { z } from 'zod';
import { isCached } from '../domain/index.ts';
import { CliFailure } from './cli-failure.ts';
import { callInstance, runningInstance } from './instance-client.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

const resourcesSchema = z.object({
  resources: z.array(z.object({ resource: z.string(), policy: z.enum(POLICIES) })),
});

/** Makes drift in the running demo. */
export async function runDemoDrift(
  options: CommonOptions & { resource?: string; count: number },
  ports: CliPorts,
): Promise<void> {
  const instance = await runningInstance(options.dataDir);
  const resource = options.resource ?? (await firstCached(instance));
  const request = { resource, count: options.count };
  const report = await callInstance(instance, driftReport.strip(), 'POST', '/demo/drift', request);
  if (options.json) ports.out(JSON.stringify(report));
  else for (const { key, kind } of report.made) ports.out(`${resource} ${key}: ${kind}`);
}

async function firstCached(instance: Awaited<ReturnType<typeof runningInstance>>): Promise<string> {
  const { resources } = await callInstance(instance, resourcesSchema, 'GET', '/resources');
  const found = resources.find(isCached);
  if (found !== undefined) return found.resource;
  throw new CliFailure('the instance has no resource that is cached');
}
