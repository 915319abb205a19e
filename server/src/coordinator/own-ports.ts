import { type ReadAnswer, SingleFlight } from '../reads/index.ts';
import type { ReplicaSet } from '../replicas/index.ts';
import type { EngineOptions } from './engine-options.ts';
import type { EnginePorts } from './engine-ports.ts';

/**
 * The ports of a running coordinator. The build `controls` replaces this module by `testkit/controls/broken-ports.ts`
 * (`server/vite.config.ts`), which breaks one protection. No other module depends on this.
 */
export function ownPorts(
  ports: Pick<EnginePorts, 'entries' | 'rows' | 'lockNodes' | 'outbox' | 'guards'>,
  replicas: ReplicaSet | null,
  _world: Pick<EngineOptions, 'servers' | 'runtime'>,
): EnginePorts {
  return {
    ...ports,
    ...(replicas === null ? {} : { replicas }),
    singleFlight: new SingleFlight<ReadAnswer>(),
  };
}
