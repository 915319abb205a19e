import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { ClusterView } from './cluster-view.ts';
import { asInstanceSnapshot, takeDetails } from './instance-snapshot.ts';
import { snapshot, sources, totals } from './testing/fixtures.ts';

const names = (view: ClusterView): string[] => view.present().map(({ instance }) => instance);

describe('ClusterView', () => {
  it('drops an instance that was silent for 5 s, shows it as down, and forgets it after a minute', async () => {
    const runtime = manualRuntime();
    const view = new ClusterView(runtime.clock);
    view.hear(snapshot());
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
    view.hear(snapshot());
    await runtime.advance(9_000);
    view.hear(snapshot());
    expect(names(view)).toEqual(['b']);
    expect(view.missing()).toEqual([]);
  });

  it('drops an instance that says goodbye at once and does not call it down', () => {
    const view = new ClusterView(manualRuntime().clock);
    view.hear(snapshot());
    view.goodbye('b');
    expect(names(view)).toEqual([]);
    expect(view.missing()).toEqual([]);
  });

  it('keeps the totals of an instance that went, and counts them once when it is back', async () => {
    const runtime = manualRuntime();
    const view = new ClusterView(runtime.clock);
    view.hear(snapshot({ totals: totals({ locksLost: 3 }) }));
    await runtime.advance(100_000);
    expect(view.totals()).toHaveLength(1);
    view.hear(snapshot({ totals: totals({ locksLost: 4 }) }));
    expect(view.totals().map(({ locksLost }) => locksLost)).toEqual([4]);
  });

  it('remembers at most 64 other instances', () => {
    const view = new ClusterView(manualRuntime().clock);
    for (let index = 0; index < 200; index++) view.hear(snapshot({ instance: `i${index}` }));
    expect(view.totals()).toHaveLength(64);
  });

  it('knows whether anybody watches elsewhere', () => {
    const view = new ClusterView(manualRuntime().clock);
    view.hear(snapshot({ viewers: 0 }));
    expect(view.isWatched).toBe(false);
    view.hear(snapshot({ instance: 'c', viewers: 1 }));
    expect(view.isWatched).toBe(true);
  });
});

describe('asInstanceSnapshot', () => {
  it('takes what an instance of this release says, after a round trip through JSON', () => {
    const details = takeDetails(sources('b'), 'b');
    const said: unknown = JSON.parse(JSON.stringify(snapshot({ details })));
    expect(asInstanceSnapshot(said)).toEqual(said);
  });

  it.each([
    null,
    'text',
    [],
    {},
    { ...snapshot(), format: 2 },
    { ...snapshot(), instance: 7 },
    { ...snapshot(), second: null },
    { ...snapshot(), details: 'none' },
  ])('refuses %j', (message) => {
    expect(asInstanceSnapshot(message)).toBeNull();
  });
});
