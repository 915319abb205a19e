// @ts-check
import { runBench } from './run-bench.mjs';

await runBench('staleness/main.ts');
