/** What a write asks of the row store, beyond the change itself. */
import type { RowWrite } from '../database/port.ts';
import {
  hasInvalidatedSiblings,
  invalidatesOwn,
  type Resource,
  rulesOf,
  type WriteRequest,
} from '../domain/index.ts';
import type { WriteServiceOptions } from './options.ts';

/**
 * Whether the transaction stores an outbox row: only if this write has something to invalidate. Otherwise the resource
 * is not cached, or the change log or the next refresh sees to its entries.
 */
export const hasOutbox = (resource: Resource): boolean =>
  invalidatesOwn(resource) || invalidatesOthers(resource);

/** Whether a write invalidates anything besides the entry of its row. */
export const invalidatesOthers = (resource: Resource): boolean =>
  hasInvalidatedSiblings(resource) ||
  (rulesOf(resource).relatedBy === 'writer' && resource.invalidates.length > 0);

/** The longest delay among the resources over the row that want a second delete. */
export function secondDelete(
  { secondDeleteDelay }: Pick<WriteServiceOptions, 'secondDeleteDelay'>,
  resource: Resource,
): Pick<RowWrite, 'secondDeleteAfterMs'> {
  if (resource.shared === undefined && !rulesOf(resource).hasSecondDelete) return {};
  const delays = [resource, ...(resource.shared?.siblings ?? [])]
    .filter((each) => rulesOf(each).hasSecondDelete)
    .map((each) => secondDeleteDelay.afterMs(each));
  return delays.length === 0 ? {} : { secondDeleteAfterMs: Math.max(...delays) };
}

export const ifMatchOf = ({
  ifMatch,
  ifMatchTag,
}: Pick<WriteRequest, 'ifMatch' | 'ifMatchTag'>): Pick<RowWrite, 'ifMatch' | 'ifMatchTag'> => ({
  ...(ifMatch === undefined ? {} : { ifMatch }),
  ...(ifMatchTag === undefined ? {} : { ifMatchTag }),
});
