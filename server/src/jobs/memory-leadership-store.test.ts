import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { describeLeadershipStore } from './leadership-store.conformance.ts';
import { MemoryLeadershipStore } from '@lockstep/testkit/doubles/memory-leadership-store';

describeLeadershipStore(
  'the store in memory',
  () => new MemoryLeadershipStore(manualRuntime().clock),
);
