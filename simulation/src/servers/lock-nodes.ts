/**
 * Redlock over several nodes, as the engine's adapter does it: one attempt for each call, decided by the first
 * majority. An attempt that fails gives back what a minority has granted.
 */
import type { LockBackDoor } from '@lockstep/testkit/controls';
import type { Grant, LockNodes } from '../../../server/src/locks/lock-nodes.ts';
import { Unanswered } from '../world/network.ts';
import type { LockNode } from './lock-node.ts';

/** Sends one script to a node. Rejects with Unanswered. */
export type SendToNode = <T>(
  node: LockNode,
  name: string,
  lockKey: string,
  step: () => T,
) => Promise<T>;

interface Settings {
  nodes: readonly LockNode[];
  send: SendToNode;
  /** The calling process. */
  owner: string;
  newToken: () => string;
}

interface Votes {
  granted: number;
  refused: number;
}

export function lockNodesOn({ nodes, send, owner, newToken }: Settings): LockNodes {
  const majority = Math.floor(nodes.length / 2) + 1;

  /** True as soon as a majority grants; otherwise all votes, once they are in. */
  const vote = (
    name: string,
    lockKey: string,
    step: (node: LockNode) => boolean,
  ): Promise<true | Votes> =>
    new Promise((resolve) => {
      const votes: Votes = { granted: 0, refused: 0 };
      let left = nodes.length;
      const count = (granted: boolean | null): void => {
        if (granted === true) votes.granted += 1;
        if (granted === false) votes.refused += 1;
        if (votes.granted >= majority) resolve(true);
        else if ((left -= 1) === 0) resolve(votes);
      };
      for (const node of nodes) {
        send(node, name, lockKey, () => step(node)).then(count, (error: unknown) => {
          if (!(error instanceof Unanswered)) throw error;
          count(null);
        });
      }
    });
  const release = ({ lockKey, token }: Grant): Promise<true | Votes> =>
    vote(`release ${token}`, lockKey, (node) => node.release(lockKey, token));
  const answered = ({ granted, refused }: Votes): boolean => granted + refused >= majority;

  return {
    tryAcquire: async (lockKey, ttlMs) => {
      const token = newToken();
      const votes = await vote(`acquire ${token}`, lockKey, (node) =>
        node.acquire(lockKey, token, owner, ttlMs),
      );
      if (votes === true) return { lockKey, token };
      await release({ lockKey, token });
      return answered(votes) ? 'contended' : 'unavailable';
    },
    extend: async ({ lockKey, token }, ttlMs) => {
      const votes = await vote(`extend ${token}`, lockKey, (node) =>
        node.extend(lockKey, token, ttlMs),
      );
      if (votes === true) return 'extended';
      return votes.refused >= majority ? 'lost' : 'unavailable';
    },
    release: async (grant) => {
      const votes = await release(grant);
      if (votes === true) return 'released';
      return answered(votes) ? 'gone' : 'unavailable';
    },
    groupOf: () => 0,
  };
}

export function lockBackDoorOn({ nodes, send, owner }: Omit<Settings, 'newToken'>): LockBackDoor {
  return {
    delete: async (lockKey) => {
      await Promise.allSettled(
        nodes.map((node) => send(node, 'delete', lockKey, () => node.delete(lockKey, owner))),
      );
    },
  };
}
