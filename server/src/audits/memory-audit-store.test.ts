import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { describeAuditStore } from './audit-store.conformance.ts';
import { MemoryAuditStore } from './testing/memory-audit-store.ts';

describeAuditStore('the store in memory', () => new MemoryAuditStore(manualRuntime().clock));
