// @ts-check
import { runFaults } from './run-faults.mjs';

await runFaults('controls.program.ts', { controls: true });
