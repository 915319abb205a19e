import { describe, expect, it } from 'vitest';
import { manualRuntime } from '@lockstep/testkit/doubles/manual-runtime';
import { Handshakes, type Waiting } from './handshakes.ts';

function scene() {
  const runtime = manualRuntime();
  const ended: Waiting[] = [];
  const socket = (remoteAddress: string): Waiting => {
    const made: Waiting = { remoteAddress, close: () => ended.push(made) };
    return made;
  };
  return { runtime, ended, socket, handshakes: new Handshakes(runtime.clock) };
}

describe('sockets that have shown no token (W12)', () => {
  it('are a bounded number; one more ends the oldest of its address', () => {
    const { handshakes, ended, socket } = scene();
    const first = socket('a');
    handshakes.add(first);
    for (let count = 0; count < 10_000; count += 1) handshakes.add(socket('a'));
    expect(handshakes.waiting).toBe(16);
    expect(ended).toHaveLength(10_000 - 15);
    expect(ended[0]).toBe(first);
  });

  it('are a bounded number also where each comes from elsewhere', () => {
    const { handshakes, ended, socket } = scene();
    for (let count = 0; count < 1_000; count += 1) handshakes.add(socket(`address ${count}`));
    expect(handshakes.waiting).toBe(64);
    expect(ended).toHaveLength(1_000 - 64);
  });

  it('no longer count once they are known or gone', () => {
    const { handshakes, ended, socket } = scene();
    const known = socket('a');
    handshakes.add(known);
    handshakes.remove(known);
    for (let count = 0; count < 100; count += 1) handshakes.heard(known);
    expect([handshakes.waiting, ended.length]).toEqual([0, 0]);
  });

  it('may say a few words, and are ended where they talk on', () => {
    const { handshakes, ended, socket } = scene();
    const talker = socket('a');
    handshakes.add(talker);
    for (let count = 0; count < 16; count += 1) handshakes.heard(talker);
    expect(ended).toEqual([]);
    handshakes.heard(talker);
    expect(ended).toEqual([talker]);
  });

  it('begin so often a second, of one address and in all', async () => {
    const { handshakes, runtime } = scene();
    const begun = (address: string): number =>
      Array.from({ length: 100 }, () => handshakes.mayBegin(address)).filter(Boolean).length;
    expect([begun('a'), begun('b')]).toEqual([20, 20]);
    for (let count = 0; count < 20; count += 1) begun(`address ${count}`);
    expect(begun('c')).toBe(0);
    await runtime.advance(1_000);
    expect(begun('a')).toBe(20);
  });
});
