import { DRIFT_CLASSES } from '@lockstep/shared';
import { auditReport } from '@lockstep/shared/ops';
import { callInstance, runningInstance } from './instance-client.ts';
import type { CliPorts, CommonOptions } from './ports.ts';

/** What the command prints. An instance of another version may answer more. */
const reportSchema = auditReport.omit({ runId: true }).strip();

/** Audits a resource now. Exit code 1 where a repair failed: drift itself is an answer, not a failure. */
export async function runAudit(
  resource: string,
  options: CommonOptions & { sample?: number; repair: boolean },
  ports: CliPorts,
): Promise<number> {
  const instance = await runningInstance(options.dataDir);
  const { sample, repair } = options;
  const request = sample === undefined ? { resource, repair } : { resource, repair, sample };
  const report = await callInstance(instance, reportSchema, 'POST', '/audits', request);
  const { sampled, drift, repaired, failed } = report;
  if (options.json) {
    ports.out(JSON.stringify(report));
  } else {
    const found = DRIFT_CLASSES.filter((name) => drift[name] > 0).map(
      (name) => `${drift[name]} ${name}`,
    );
    ports.out(
      `${resource}: ${sampled} sampled, ${found.length === 0 ? 'no drift' : `drift: ${found.join(', ')}`}, ${repaired} repaired, ${failed} failed`,
    );
  }
  return failed > 0 ? 1 : 0;
}
