import { expect, it } from 'vitest';
import { SeededRandom } from '@lockstep/testkit/seeded-random';
import { EventQueue } from './event-queue.ts';
import { Station } from './station.ts';

/** Mean wait of Poisson arrivals at one server whose jobs take half to one and a half times `costUs`. */
function meanWaitUs(utilization: number, costUs: number): number {
  const events = new EventQueue();
  const random = new SeededRandom(7);
  const station = new Station(events, random, 1);
  let [waitedUs, count] = [0, 0];
  const arrive = (): void => {
    events.after((-Math.log(1 - random.next()) * costUs) / utilization, () => {
      const arrivedUs = events.nowUs;
      station.serve(costUs, () => {
        waitedUs += events.nowUs - arrivedUs - costUs;
        count += 1;
      });
      arrive();
    });
  };
  arrive();
  events.runUntil(100_000 * costUs);
  return waitedUs / count;
}

it('a simulated queue waits as long as queueing theory says (Pollaczek and Khinchine)', () => {
  for (const utilization of [0.3, 0.5, 0.7]) {
    // The square of the coefficient of variation of a uniform distribution over 0.5 to 1.5 is 1/12.
    const expected = ((utilization / (1 - utilization)) * (1 + 1 / 12) * 100) / 2;
    expect(meanWaitUs(utilization, 100) / expected).toBeCloseTo(1, 1);
  }
});
