// @ts-check
import { runProgram } from './run-program.mjs';

await runProgram('e2e', 'schemas/main.program.ts');
