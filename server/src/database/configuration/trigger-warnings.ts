import type { FieldFault } from '@lockstep/shared';
import type { Resource } from '../../domain/index.ts';

/**
 * No catalog says which other rows a trigger or a rule changes. The row that is written is looked at when all has
 * fired; entries of others that a trigger changes are wrong until something else invalidates them.
 * @param isNoticed whether such changes are noticed in another way (the change log, capture triggers)
 */
export function triggerWarnings(
  resources: readonly Resource[],
  { isNoticed }: { isNoticed: boolean },
): FieldFault[] {
  if (isNoticed) return [];
  return resources.flatMap(({ name, table, sideEffects }) => {
    const triggers = sideEffects?.triggers ?? [];
    if (triggers.length === 0) return [];
    const message = `${table} has triggers or rules (${triggers.join(', ')}); what they change in other rows is not invalidated by the write; allowed: triggers that change only the written row, or changeLog.mode: on`;
    return [{ path: `resources.${name}.table`, message }];
  });
}
