// @ts-check
import { runProgram } from './run-program.mjs';

await runProgram('bench', 'reads/main.ts');
