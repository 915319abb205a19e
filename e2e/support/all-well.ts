import { expect } from 'vitest';
import { isAlive } from '@lockstep/testkit/processes/process-folder';
import { eventually } from '@lockstep/testkit/poll';
import type { TestBed } from './shared-instance.ts';

interface Readiness {
  status: string;
  checks: { name: string; ok: boolean; detail: string | null }[];
}

/**
 * Waits until every server of the instance runs, as `runtime.json` says, and the coordinator finds all of them well:
 * where every test of a bad day starts.
 * @param isExpected what a check may say all the time, by the test's own configuration
 */
export async function untilAllIsWell(
  bed: TestBed,
  isExpected: (detail: string) => boolean = () => false,
): Promise<void> {
  await eventually(
    async () => {
      for (const { name, pid } of bed.instance.runtime.processes)
        expect(isAlive(pid), name).toBe(true);
      const answer = await bed.anonymous.call('GET', '/readyz?verbose');
      const readiness = JSON.parse(answer.text) as Readiness;
      const wrong = readiness.checks.filter(({ ok, detail }) => !ok && !isExpected(detail ?? ''));
      expect(wrong).toEqual([]);
      expect(readiness.status).toBe('ready');
    },
    { withinMs: 90_000 },
  );
}
