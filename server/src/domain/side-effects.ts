import type { Resource } from './resource.ts';
import type { SideEffects } from './table-effects.ts';
import type { Change } from './write.ts';

/** Whether the change can make a foreign key change cached rows. */
export function mayCascade(
  resource: Pick<Resource, 'cascades' | 'sideEffects' | 'columns' | 'keyColumns'>,
  change: Change,
): boolean {
  const { cascades } = resource;
  if (cascades === undefined) return false;
  const own = cascades.keys.filter(({ parent }) => parent === cascades.table);
  if (change.op === 'delete') return own.some(({ onDelete }) => onDelete !== null);
  const changing = own.filter(({ onUpdate }) => onUpdate !== null);
  if (mayRewrite(resource)) return changing.length > 0;
  const isWritten = (name: string): boolean =>
    change.op === 'put'
      ? !resource.keyColumns.some((column) => column.name === name)
      : Object.hasOwn(change.set, name) || Object.hasOwn(change.increment, name);
  return changing.some(({ columns }) => columns.some(({ parent }) => isWritten(parent)));
}

/** Whether the database may change the row of a write beyond what the statement says. */
export const mayRewrite = ({ sideEffects }: { sideEffects?: SideEffects }): boolean =>
  sideEffects !== undefined && sideEffects.triggers.length > 0;

export const hasSideEffects = ({ triggers, isDeferred, isPartitioned }: SideEffects): boolean =>
  triggers.length > 0 || isDeferred || isPartitioned;
