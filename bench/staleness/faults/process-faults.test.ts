import { expect, test } from 'vitest';
import { eventually } from '@lockstep/testkit/poll';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import type { ServiceProcess } from '../contender.ts';
import { ProcessFaults } from './process-faults.ts';

/** A process that only notes what is done to it. */
function stubProcess(): ServiceProcess & { log: string[] } {
  const log: string[] = [];
  const note = (what: string) => () => void log.push(what);
  const noteLater = (what: string) => () => Promise.resolve(note(what)());
  return {
    log,
    isUp: true,
    crash: null,
    start: noteLater('start'),
    kill: noteLater('kill'),
    pause: note('pause'),
    resume: note('resume'),
  };
}

test('healing ends a pause at once and leaves every process running', async () => {
  const processes = [stubProcess(), stubProcess()];
  const faults = new ProcessFaults(processes, new SeededRandom(3));
  faults.begin();
  await eventually(() => expect(processes.flatMap(({ log }) => log)).not.toEqual([]));
  const counts = await faults.heal();
  const log = processes.flatMap((process) => process.log);
  expect(log.filter((what) => what === 'pause')).toHaveLength(counts.paused ?? 0);
  expect(log.filter((what) => what === 'resume')).toHaveLength(counts.paused ?? 0);
  expect(log.filter((what) => what === 'kill')).toHaveLength(counts.killed ?? 0);
  expect(log.filter((what) => what === 'start')).toHaveLength(counts.killed ?? 0);
});

test('healing fails if a process does not come back', async () => {
  let isHit = false;
  const hit = (): void => void (isHit = true);
  const broken: ServiceProcess = {
    ...stubProcess(),
    pause: hit,
    kill: () => Promise.resolve(hit()),
    start: () => Promise.reject(new Error('does not come back')),
    resume: () => {
      throw new Error('does not come back');
    },
  };
  const faults = new ProcessFaults([broken], new SeededRandom(3));
  faults.begin();
  await eventually(() => expect(isHit).toBe(true));
  await expect(faults.heal()).rejects.toThrow('does not come back');
});
