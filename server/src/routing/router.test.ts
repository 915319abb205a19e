import { describe, expect, it } from 'vitest';
import { makeKey } from '../domain/index.ts';
import { resource } from '@lockstep/testkit/doubles/resource';
import type { Member } from './port.ts';
import { memberNamed, testRouter } from '@lockstep/testkit/doubles/router';

const key = (id: number) => makeKey(resource(), [String(id)]);
const HERE = memberNamed('here', 'http://here.test', true);
const OTHERS = ['two', 'three'].map((name) => memberNamed(name, `http://${name}.test`));

async function routerAmong(members: Member[], mode: 'serve' | 'forward' = 'forward') {
  const results: string[] = [];
  const tested = testRouter({
    ...{ mode, members: () => members },
    counts: { add: (result) => results.push(result), forwardTook: () => undefined },
  });
  await tested.settle();
  tested.close();
  return { router: tested.router, results };
}

describe('a plan', () => {
  it('sends a key that is at home elsewhere there, and serves its own (H1)', async () => {
    const { router } = await routerAmong([HERE, ...OTHERS]);
    const counts = new Map<string, number>();
    for (let id = 0; id < 300; id += 1) {
      const home = router.homeOf(key(id));
      const { to } = router.plan(key(id), { isForwarded: false });
      expect(to).toBe(home?.isSelf === true ? null : home);
      counts.set(home?.instance ?? '', (counts.get(home?.instance ?? '') ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['here', 'three', 'two']);
  });

  it('depends on addresses alone: one that starts again at its own has its keys back (H1)', async () => {
    const { router: before } = await routerAmong([HERE, ...OTHERS]);
    const again = OTHERS.map((member) => ({ ...member, instance: `${member.instance}-again` }));
    const { router: after } = await routerAmong([HERE, ...again]);
    for (let id = 0; id < 200; id += 1) {
      expect(after.homeOf(key(id))?.url).toBe(before.homeOf(key(id))?.url);
    }
  });

  it('serves everything in mode serve, and names the home (H3)', async () => {
    const { router, results } = await routerAmong([HERE, ...OTHERS], 'serve');
    const plans = Array.from({ length: 50 }, (_, id) =>
      router.plan(key(id), { isForwarded: false }),
    );
    expect(plans.every(({ to }) => to === null)).toBe(true);
    expect(plans.some(({ home }) => home !== null)).toBe(true);
    expect(new Set(results)).toEqual(new Set(['served']));
  });

  it('sends nothing on that was forwarded, not even to a lease’s instance (H5)', async () => {
    const { router } = await routerAmong(OTHERS);
    expect(router.plan(key(1), { isForwarded: true }).to).toBeNull();
    expect(router.plan(key(1), { isForwarded: true, leaseId: 'two~x' }).to).toBeNull();
  });

  it('follows a lease, not the home (H7)', async () => {
    const { router } = await routerAmong([HERE, ...OTHERS]);
    for (let id = 0; id < 30; id += 1) {
      const plan = router.plan(key(id), { isForwarded: false, leaseId: 'three~x' });
      expect(plan).toMatchObject({ why: 'lease', to: { instance: 'three' } });
      expect(router.plan(key(id), { isForwarded: false, leaseId: 'here~x' }).to).toBeNull();
      expect(router.plan(key(id), { isForwarded: false, leaseId: 'gone~x' }).to).toBeNull();
    }
  });

  it('leaves a member that failed alone (H6)', async () => {
    const closed = memberNamed('two', 'http://127.0.0.1:1');
    const { router, results } = await routerAmong([closed]);
    const plan = router.plan(key(1), { isForwarded: false });
    expect(plan.to).toBe(closed);
    const forwarded = await router.forward(
      { ...plan, to: closed },
      {
        ...{ method: 'GET', target: '/', rawHeaders: [], body: null, requestId: 'r' },
        ...{ kind: 'read', hasIdempotencyKey: false },
      },
    );
    expect(forwarded).toMatchObject({ kind: 'here' });
    expect(router.plan(key(1), { isForwarded: false }).to).toBeNull();
    expect(results).toEqual(['fallback', 'fallback']);
  });
});
