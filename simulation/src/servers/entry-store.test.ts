import { describeEntrySteps } from '../../../server/src/cache/entry-steps.conformance.ts';
import {
  describeEntryStore,
  type EntryStoreFixture,
} from '../../../server/src/cache/entry-store.conformance.ts';
import { entryStoreOn } from './entry-store.ts';
import { MemoryCache } from './memory-cache.ts';

let nowMs = 1_700_000_000_000;
const cache = new MemoryCache({
  leaseTtlMs: 4_000,
  tombstoneTtlMs: 60_000,
  isEntryKey: (cacheKey) => cacheKey.startsWith('account:'),
  wallMs: () => (nowMs += 0.01),
});
const store = entryStoreOn(
  cache,
  (_name, _cacheKey, step) => Promise.resolve().then(step),
  () => true,
);

const fixture = (): EntryStoreFixture => ({
  store,
  text: (cacheKey) => Promise.resolve(cache.get(cacheKey)),
  put: (cacheKey, text) => Promise.resolve(cache.set(cacheKey, text, null)),
});
describeEntryStore('the simulated cache', fixture);
describeEntrySteps('the simulated cache', fixture);
