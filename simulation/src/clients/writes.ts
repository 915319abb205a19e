import type { Change, Key, WriteRequest } from '../../../server/src/domain/index.ts';
import type { ClientAction } from '../plan/plan.ts';

/** Subtracts more than any count ever reaches, so that the database refuses it. */
const TOO_MANY = '-1000000';

/** Actions that are a single write. */
type WriteAction = Extract<
  ClientAction,
  { do: 'put' | 'put-twice' | 'increment' | 'compare-and-set' | 'delete' | 'refused' }
>;

/**
 * The write of an action.
 * @param mark a text that no other write sets
 * @param seen the version that the client has seen last
 */
export function writeOf(action: WriteAction, key: Key, mark: string, seen: number): WriteRequest {
  switch (action.do) {
    case 'increment':
      return { key, change: increment(String(action.by)) };
    case 'compare-and-set':
      return { key, change: put(mark), ifMatch: seen };
    case 'delete':
      return { key, change: { op: 'delete' } };
    case 'refused':
      return { key, change: increment(TOO_MANY) };
    default:
      return { key, change: put(mark) };
  }
}

const put = (mark: string): Change => ({ op: 'put', set: { mark }, onlyCreate: false });
const increment = (count: string): Change => ({ op: 'patch', set: {}, increment: { count } });
