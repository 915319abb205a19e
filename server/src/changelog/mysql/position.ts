/**
 * A position in the binlog as it is kept: `gtid:` and the set of transactions done (also good on another server of the
 * same topology, and found wrong after a RESET), or `file:NAME:OFFSET` where the server has no GTIDs.
 */
import type { ZongJiOptions } from '@vlasky/zongji';

export function startAt(position: string): ZongJiOptions {
  if (position.startsWith('gtid:')) return { gtidSet: position.slice('gtid:'.length) };
  const [, filename, offset] = /^file:(.+):(\d+)$/.exec(position) ?? [];
  if (filename === undefined) throw new Error(`not a position in a binlog: ${position}`);
  return { filename, position: Number(offset) };
}

export const gtidPosition = (gtidSet: string): string => `gtid:${gtidSet.replaceAll(/\s/g, '')}`;
export const filePosition = (filename: string, offset: number): string =>
  `file:${filename}:${offset}`;
