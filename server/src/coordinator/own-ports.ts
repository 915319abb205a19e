import { type ReadAnswer, SingleFlight } from '../reads/index.ts';
import type { ReplicaSet } from '../replicas/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { EnginePorts } from './engine-ports.ts';
import type { Servers } from './servers.ts';

/** What the controls need besides the ports. */
export interface EngineWorld {
  servers: Servers;
  runtime: Runtime;
}

/**
 * The ports of a running coordinator. The build `controls` has `testkit/controls/broken-ports.ts` in the place of this
 * module (`server/vite.config.ts`), so that one protection is broken and nothing else knows.
 */
export function ownPorts(
  ports: Pick<EnginePorts, 'entries' | 'rows' | 'lockNodes' | 'outbox'>,
  replicas: ReplicaSet | null,
  _world: EngineWorld,
): EnginePorts {
  return {
    ...ports,
    recoveryRows: ports.rows,
    ...(replicas === null ? {} : { replicas }),
    singleFlight: new SingleFlight<ReadAnswer>(),
  };
}
