/** The shipped program: nothing is altered in it. */
import { runProgram } from './program.ts';

await runProgram();
