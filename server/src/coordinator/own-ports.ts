import { type ReadAnswer, SingleFlight } from '../reads/index.ts';
import type { ReplicaSet } from '../replicas/index.ts';
import type { EngineOptions } from './engine-options.ts';
import type { EnginePorts } from './engine-ports.ts';

/**
 * The ports of a running coordinator. The build `controls` has `testkit/controls/broken-ports.ts` in the place of this
 * module (`server/vite.config.ts`): one protection is broken, and no other module knows of it.
 */
export function ownPorts(
  ports: Pick<EnginePorts, 'entries' | 'rows' | 'lockNodes' | 'outbox'>,
  replicas: ReplicaSet | null,
  _world: Pick<EngineOptions, 'servers' | 'runtime'>,
): EnginePorts {
  return {
    ...ports,
    recoveryRows: ports.rows,
    ...(replicas === null ? {} : { replicas }),
    singleFlight: new SingleFlight<ReadAnswer>(),
  };
}
