import { describe } from 'vitest';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop } from '../support/shop.ts';
import {
  describeForeignChanges,
  describeFoundRows,
  FOREIGN_RESOURCES,
  FOREIGN_TABLES,
} from './suites/foreign-changes.conformance.ts';

describe('changes by other programs on PostgreSQL', () => {
  const bed = useInstance(() => ({
    config: embeddedShop({ resources: FOREIGN_RESOURCES, changeLog: { mode: 'on' } }),
    files: { 'shop.sql': FOREIGN_TABLES },
  }));
  describeFoundRows(bed);
  describeForeignChanges(bed);
});
