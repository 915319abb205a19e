import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { ClusterView } from './cluster-view.ts';
import { asContribution } from './contribution.ts';
import { contribution, sources, totals } from './testing/fixtures.ts';
import { takeDetails } from './own-contribution.ts';

const names = (view: ClusterView): string[] => view.present().map(({ instance }) => instance);

describe('ClusterView', () => {
  it('drops an instance that was silent for 5 s, shows it as down, and forgets it after a minute', async () => {
    const runtime = manualRuntime();
    const view = new ClusterView(runtime.clock);
    view.hear(contribution());
    await runtime.advance(4_900);
    expect(names(view)).toEqual(['b']);
    await runtime.advance(200);
    expect(names(view)).toEqual([]);
    expect(view.missing()).toMatchObject([{ name: 'b', kind: 'coordinator', status: 'down' }]);
    await runtime.advance(60_000);
    expect(view.missing()).toEqual([]);
  });

  it('takes an instance back that is heard again', async () => {
    const runtime = manualRuntime();
    const view = new ClusterView(runtime.clock);
    view.hear(contribution());
    await runtime.advance(9_000);
    view.hear(contribution());
    expect(names(view)).toEqual(['b']);
    expect(view.missing()).toEqual([]);
  });

  it('drops an instance that says goodbye at once and does not call it down', () => {
    const view = new ClusterView(manualRuntime().clock);
    view.hear(contribution());
    view.goodbye('b');
    expect(names(view)).toEqual([]);
    expect(view.missing()).toEqual([]);
  });

  it('keeps the totals of an instance that went, and counts them once when it is back', async () => {
    const runtime = manualRuntime();
    const view = new ClusterView(runtime.clock);
    view.hear(contribution({ totals: totals({ locksLost: 3 }) }));
    await runtime.advance(100_000);
    expect(view.totals()).toHaveLength(1);
    view.hear(contribution({ totals: totals({ locksLost: 4 }) }));
    expect(view.totals().map(({ locksLost }) => locksLost)).toEqual([4]);
  });

  it('remembers at most 64 other instances', () => {
    const view = new ClusterView(manualRuntime().clock);
    for (let index = 0; index < 200; index++) view.hear(contribution({ instance: `i${index}` }));
    expect(view.totals()).toHaveLength(64);
  });

  it('knows whether anybody watches elsewhere', () => {
    const view = new ClusterView(manualRuntime().clock);
    view.hear(contribution({ viewers: 0 }));
    expect(view.isWatched).toBe(false);
    view.hear(contribution({ instance: 'c', viewers: 1 }));
    expect(view.isWatched).toBe(true);
  });
});

describe('asContribution', () => {
  it('takes what an instance of this release says, after a round trip through JSON', () => {
    const details = takeDetails(sources('b'), 'b');
    const said: unknown = JSON.parse(JSON.stringify(contribution({ details })));
    expect(asContribution(said)).toEqual(said);
  });

  it.each([
    null,
    'text',
    [],
    {},
    { ...contribution(), format: 2 },
    { ...contribution(), instance: 7 },
    { ...contribution(), second: null },
    { ...contribution(), details: 'none' },
  ])('refuses %j', (message) => {
    expect(asContribution(message)).toBeNull();
  });
});
