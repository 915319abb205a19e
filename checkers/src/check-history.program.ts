import { checkHistory } from './check-history.ts';

process.exitCode = await checkHistory(process.argv.slice(2), {
  out: (text) => process.stdout.write(`${text}\n`),
  error: (text) => process.stderr.write(`${text}\n`),
});
