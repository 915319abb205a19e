import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseJepsenEtcd } from './jepsen-etcd.ts';
import { checkValues } from './values/checker.ts';

/** Beside the repository; a copy of this package, as the mutation test makes it, stands deeper. */
function logFolder(): string {
  const beside = join('shared', 'data', 'jepsen-etcd');
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, beside))) return join(folder, beside);
  }
  return join(import.meta.dirname, '..', '..', '..', beside);
}

const FOLDER = logFolder();
const LOGS = 52;

const linesOf = (name: string): string[] => readFileSync(join(FOLDER, name), 'utf8').split('\n');

describe.skipIf(!existsSync(FOLDER))(
  'the etcd logs of Jepsen (skipped where ../shared/data/jepsen-etcd is absent)',
  () => {
    const verdicts = existsSync(FOLDER)
      ? linesOf('verdicts.tsv')
          .filter((line) => line !== '')
          .map((line) => line.split('\t'))
      : [];

    test('are all there', () => expect(verdicts).toHaveLength(LOGS));

    test.each(verdicts)('%s is judged %s', (name = '', verdict = '') => {
      const judged = checkValues(parseJepsenEtcd(linesOf(name)));
      expect(judged.verdict).toBe(verdict === 'linearizable' ? 'holds' : 'violated');
    });
  },
);
