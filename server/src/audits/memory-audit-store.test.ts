import { manualRuntime } from '../runtime/testing/manual-runtime.ts';
import { describeAuditStore } from './audit-store.conformance.ts';
import { MemoryAuditStore } from './testing/memory-audit-store.ts';

describeAuditStore('the store in memory', () => new MemoryAuditStore(manualRuntime().clock));
