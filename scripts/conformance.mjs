// @ts-check
import { runProgram } from './run-program.mjs';

await runProgram('conformance', 'main.ts');
