import { describe } from 'vitest';
import { useInstance } from '../support/shared-instance.ts';
import { embeddedShop, SHOP_SQL } from '../support/shop.ts';
import { describeApi } from './suites/api.conformance.ts';

describe('on embedded servers', () => {
  describeApi(useInstance(() => ({ config: embeddedShop(), files: { 'shop.sql': SHOP_SQL.pg } })));
});
