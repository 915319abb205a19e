// @ts-check
import { runProgram } from './run-program.mjs';

await runProgram('bench', 'mixes/main.ts');
