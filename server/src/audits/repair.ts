import type { DriftClass } from '@lockstep/shared';
import { type LockstepError, rulesOf, toLockstepError } from '../domain/index.ts';
import type { Observation } from './observation.ts';
import type { AuditPorts } from './port.ts';

/** What became of a repair; `superseded`: the entry changed before it, so that there was nothing left to repair. */
export type RepairOutcome =
  { status: 'repaired' } | { status: 'superseded' } | { status: 'failed'; error: LockstepError };

/**
 * Repairs one drifted entry; never rejects.
 *
 * A strict key is repaired under its lock by a recovery, which publishes by fence and version. Any other entry is replaced
 * by a tombstone of its version, but only if it still is exactly the text that was compared, and never if it is a write
 * intent. With `refresh` the key is then read, which fills the entry under a fill lease like any other reader. Neither
 * way can put back anything older than what is there.
 */
export async function repair(
  ports: Pick<AuditPorts, 'entries' | 'reads' | 'recovery' | 'telemetry' | 'runtime'>,
  { candidate: { key }, stored }: Observation,
  drift: DriftClass,
  rule: 'delete' | 'refresh',
): Promise<RepairOutcome> {
  const outcome = await attempt();
  if (outcome.status !== 'superseded') {
    const ok = outcome.status === 'repaired';
    ports.telemetry.emit({ type: 'drift-repaired', key, class: drift, ok });
  }
  return outcome;

  async function attempt(): Promise<RepairOutcome> {
    try {
      if (rulesOf(key.resource).repairedBy === 'recovery') {
        await ports.recovery.recover(key, 'audit', rule === 'delete' ? 'tombstone' : 'value');
        return { status: 'repaired' };
      }
      const text = stored?.text ?? '';
      const replaced = await ports.entries.invalidateIfUnchanged(key.cacheKey, text);
      if (!replaced) return { status: 'superseded' };
      const entry = stored?.isRaw === true ? null : stored?.entry;
      const version = entry?.state === 'value' ? entry.version : null;
      ports.telemetry.emit({ type: 'invalidated', key, by: 'audit', version });
      if (rule === 'refresh') await refill();
      return { status: 'repaired' };
    } catch (error) {
      const failure = toLockstepError(error);
      ports.runtime.log.warn({ err: error, resource: key.resource.name }, 'a repair failed');
      return { status: 'failed', error: failure };
    }
  }

  /** The drift is gone already: a refill that fails leaves a miss, which the next reader fills. */
  async function refill(): Promise<void> {
    try {
      await ports.reads.read(key);
    } catch (error) {
      ports.runtime.log.debug({ err: error }, 'a repaired entry could not be filled again');
    }
  }
}
