// @ts-check
import { runFaults } from './run-faults.mjs';

await runFaults('soak.program.ts', {
  controls: process.argv.some((arg) => arg.startsWith('--control')),
});
