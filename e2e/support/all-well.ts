import { expect } from 'vitest';
import { isAlive } from './process-folder.ts';
import { eventually } from './poll.ts';
import type { TestBed } from './shared-instance.ts';

interface Readiness {
  status: string;
  checks: { name: string; ok: boolean; detail: string | null }[];
}

/**
 * Waits until every server of the instance runs, as `runtime.json` says, and the coordinator finds all of them well:
 * where every test of a bad day starts.
 */
export async function untilAllIsWell(bed: TestBed): Promise<void> {
  await eventually(
    async () => {
      for (const { name, pid } of bed.instance.runtime.processes)
        expect(isAlive(pid), name).toBe(true);
      const answer = await bed.anonymous.call('GET', '/readyz?verbose');
      const readiness = JSON.parse(answer.text) as Readiness;
      expect(readiness.checks.filter((check) => !check.ok)).toEqual([]);
      expect(readiness.status).toBe('ready');
    },
    { withinMs: 30_000 },
  );
}
