/** `strict` and `delete-after-write` with one part removed or added, to show what each part is for. */
import { CRASH } from '../model/process.ts';
import { DELETE_FAILS, FORGETS, LOCK_EXPIRES, REFUSED } from '../model/servers.ts';
import { type Bounds, type Strategy, USUAL_BOUNDS, type Weakness } from '../model/strategy.ts';
import { withParts } from './delete-after-write.ts';
import { strictWith } from './strict.ts';

/** The smallest bounds, for weaknesses that need no more. */
const SMALL: Bounds = { ...USUAL_BOUNDS, writers: 1, readers: 1 };
/** For variants without a weakness, and weaknesses that need more. */
const LARGE: Bounds = { ...USUAL_BOUNDS, readers: 1, recoveries: 1 };

const oldForGood = (words: string, ...faults: string[]): Weakness[] => [
  { words, property: 'staleForGood', faults },
];
const oldForAWhile = (words: string, ...faults: string[]): Weakness[] => [
  { words, property: 'staleForAWhile', faults },
];

export const VARIANTS: readonly Strategy[] = [
  strictWith(
    { databaseFence: false },
    {
      name: 'strict-without-fence',
      title: 'no fence in the database',
      bounds: { ...SMALL, recoveries: 1 },
      weaknesses: oldForGood(
        'a paused writer commits although a recovery took its intent over',
        LOCK_EXPIRES,
      ),
    },
  ),
  strictWith(
    { intent: false },
    {
      name: 'strict-without-intent',
      title: 'no write intent',
      bounds: { ...SMALL, readers: 3 },
      weaknesses: [
        ...oldForAWhile('one reader sees the new value, a later one the old in the cache'),
        ...oldForGood('a crash between commit and publish', CRASH),
      ],
    },
  ),
  strictWith(
    { lease: false },
    {
      name: 'strict-without-lease',
      title: 'fill without a lease',
      bounds: SMALL,
      weaknesses: oldForGood('a slow reader puts back the old value'),
    },
  ),
  strictWith(
    { comparedPublish: false },
    {
      name: 'strict-with-blind-publish',
      title: 'publish without comparing',
      bounds: { ...SMALL, writers: 2 },
      weaknesses: oldForGood(
        'two writers publish in the opposite order of their commits',
        LOCK_EXPIRES,
      ),
    },
  ),
  strictWith(
    { fenceOnRefusal: false },
    {
      name: 'strict-clearing-without-fence',
      title: 'a refused write stores no fence',
      bounds: { ...SMALL, writers: 2 },
      weaknesses: oldForGood(
        'an older paused writer commits while readers fill again',
        LOCK_EXPIRES,
        REFUSED,
        CRASH,
      ),
    },
  ),
  strictWith(
    { lastingIntent: false },
    {
      name: 'strict-with-expiring-intent',
      title: 'an intent that expires, or is lost',
      bounds: SMALL,
      weaknesses: oldForGood('it is lost between a commit and its publish', FORGETS, CRASH),
    },
  ),
  strictWith(
    { lastingIntent: false, verifiedIntent: true },
    { name: 'strict-verified', title: 'the last, with strict.verifyIntent', bounds: LARGE },
  ),
  strictWith(
    { namedIntent: false },
    {
      name: 'strict-with-nameless-intent',
      title: 'an intent that is told by its fence alone',
      bounds: LARGE,
      weaknesses: oldForAWhile(
        'a value is forgotten, its fence minted again, and an old publish taken for the new one',
        LOCK_EXPIRES,
        FORGETS,
      ),
    },
  ),
  strictWith(
    { namedIntent: false, clock: true },
    {
      name: 'strict-with-steady-clock',
      title: 'the last, with a steady cache clock',
      bounds: LARGE,
    },
  ),
  withParts(
    { outbox: true, leases: false },
    {
      name: 'delete-after-write-without-leases',
      title: 'delete-after-write without leases',
      bounds: USUAL_BOUNDS,
      weaknesses: oldForGood("a slow reader's fill"),
    },
  ),
  withParts(
    { outbox: false, leases: true },
    {
      name: 'delete-after-write-without-outbox',
      title: 'delete-after-write without the outbox',
      bounds: USUAL_BOUNDS,
      weaknesses: [
        ...oldForGood('a crash before the tombstone', CRASH),
        ...oldForGood('a tombstone that fails', DELETE_FAILS),
      ],
    },
  ),
];
