import { hostname } from 'node:os';
import type { Runtime } from '../runtime/index.ts';

/** A new name at each start, because containers may have the same host name and process id as others, or as before. */
export const instanceName = ({ ids }: Pick<Runtime, 'ids'>): string =>
  `${hostname()}-${process.pid}-${ids.next().slice(0, 6)}`;
