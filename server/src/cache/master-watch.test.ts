import { describe, expect, it } from 'vitest';
import { masterAfter } from './master-watch.ts';

const OLD = { host: '10.0.0.1', port: 6379, epoch: 1 };
const NEW = { host: '10.0.0.2', port: 6379, epoch: 2 };
const AWAY = new Error('away');

describe('the master that counts', () => {
  it('is the one that was chosen last', () => {
    expect(masterAfter(null, [OLD, NEW, OLD])).toBe(NEW);
    expect(masterAfter(OLD, [AWAY, AWAY, NEW])).toBe(NEW);
  });

  it('is not replaced by an earlier one that a Sentinel still names, cut off from the others', () => {
    expect(masterAfter(NEW, [OLD, AWAY, AWAY])).toBe(NEW);
    expect(masterAfter(NEW, [OLD, 'unknown', AWAY])).toBe(NEW);
  });

  it('is replaced where a majority was set up anew, and counts from the beginning', () => {
    expect(masterAfter(NEW, [OLD, OLD, AWAY])).toBe(OLD);
  });

  it('stays while no Sentinel answers', () => {
    expect(masterAfter(NEW, [AWAY, AWAY, 'unknown'])).toBe(NEW);
    expect(masterAfter(null, [AWAY, AWAY, AWAY])).toBeNull();
  });
});
