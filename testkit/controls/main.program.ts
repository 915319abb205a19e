/** The coordinator with one protection broken, for tests of the tests; it is built apart and never shipped. */
import { runProgram } from '../../server/src/program.ts';
import { breakOne } from './break-one.ts';
import { CONTROLS, isControl } from './names.ts';
import { openRedisBackDoor } from './redis-back-door.ts';

const VARIABLE = 'LOCKSTEP_CONTROL';
const name = process.env[VARIABLE] ?? '';
// What is left of it would be taken for a setting.
delete process.env[VARIABLE];
if (!isControl(name)) {
  process.stderr.write(`${VARIABLE} must be one of: ${CONTROLS.join(', ')}\n`);
  process.exit(2);
}

await runProgram((ports, { servers, runtime }) =>
  breakOne(name, ports, { backDoor: openRedisBackDoor(servers, runtime), runtime }),
);
