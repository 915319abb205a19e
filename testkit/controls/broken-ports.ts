/**
 * In the place of `server/src/coordinator/own-ports.ts` where the coordinator is built with the controls: the same ports
 * with the protection broken that the environment names.
 */
import type { EnginePorts } from '../../server/src/coordinator/engine-ports.ts';
import { ownPorts as wholePorts } from '../../server/src/coordinator/own-ports.ts';
import { breakOne } from './break-one.ts';
import { ENGINE_CONTROLS, isEngineControl } from './names.ts';
import { openRedisBackDoor } from './redis-back-door.ts';

const VARIABLE = 'LOCKSTEP_CONTROL';
const name = process.env[VARIABLE] ?? '';
// The configuration would take it for one of its own variables.
delete process.env[VARIABLE];
if (!isEngineControl(name)) {
  process.stderr.write(`${VARIABLE} must be one of: ${ENGINE_CONTROLS.join(', ')}\n`);
  process.exit(2);
}

/** @public The build imports it under the replaced module's name. */
export const ownPorts: typeof wholePorts = (ports, replicas, world): EnginePorts =>
  breakOne(name, wholePorts(ports, replicas, world), {
    backDoor: openRedisBackDoor(world.servers, world.runtime),
    runtime: world.runtime,
  });
