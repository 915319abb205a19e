// @ts-check
import { runProgram } from './run-program.mjs';

await runProgram('bench', 'scaling/main.ts');
