// @ts-check
import { runBench } from './run-bench.mjs';

await runBench('changelog/main.ts');
