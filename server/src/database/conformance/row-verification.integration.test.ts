import { describe, expect, it } from 'vitest';
import { LockstepError } from '../../domain/index.ts';
import { installedClients } from '@lockstep/testkit/servers';
import { applied, patch, put, refusalReason, useRowStore } from '../testing/row-store.ts';

/** What every row store must do, against a real server: writes that ask once more before they commit. */
describe.each(installedClients())(
  'row store on %s: verified writes and confirmed reads',
  (client) => {
    const store = useRowStore(client);
    const { account, write, read, expectRows, blocked } = store;
    const confirmedRead = (id: number) =>
      store.database.rows.read(account(id), { confirmed: true });

    it('W10: commit what is verified, with all that belongs to it', async () => {
      const idempotency = { key: 'once', requestHash: 'h' };
      const rest = { fence: 7, outbox: true, idempotency, verify: () => Promise.resolve(true) };
      expect(applied(await write(account(1), put({ owner: 'ann' }), rest)).version).toBe(1);
      expect(await read(account(1))).toMatchObject({ version: 1, fence: 7, row: { owner: 'ann' } });
      await expectRows('select 1 from lockstep_outbox', 1);
      await expectRows('select 1 from lockstep_idempotency', 1);
    });

    it('W10: leave nothing of a write that is not verified', async () => {
      const idempotency = { key: 'once', requestHash: 'h' };
      const rest = { fence: 7, outbox: true, idempotency, verify: () => Promise.resolve(false) };
      expect(await write(account(1), put({ owner: 'ann' }), rest)).toEqual({
        status: 'unverified',
      });
      expect(await read(account(1))).toEqual({ version: 0, fence: 0, row: null });
      await expectRows('select 1 from lockstep_outbox', 0);
      await expectRows('select 1 from lockstep_idempotency', 0);
    });

    it('W4: leave nothing of a write whose verification fails, and pass its error on', async () => {
      const failure = new LockstepError('CACHE_UNAVAILABLE', 'away');
      const verify = () => Promise.reject(failure);
      await expect(write(account(1), put({ owner: 'ann' }), { verify })).rejects.toBe(failure);
      expect((await read(account(1))).version).toBe(0);
    });

    it('ask nothing of a write that is refused', async () => {
      const verify = () => Promise.reject(new Error('asked'));
      const result = await write(account(1), patch({ note: 'x' }), { fence: 3, verify });
      expect(refusalReason(result)).toBe('not-found');
    });

    for (const existing of [true, false]) {
      const which = existing ? 'a row that is there' : 'a row that is not there yet';
      it(`R5: a confirmed read waits for a write of ${which} that is about to commit`, async () => {
        if (existing) await write(account(1), put({ owner: 'old' }));
        let commit = (): void => undefined;
        const mayCommit = new Promise<boolean>((resolve) => (commit = () => resolve(true)));
        let asked = (): void => undefined;
        const isAsked = new Promise<void>((resolve) => (asked = resolve));
        const verify = (): Promise<boolean> => {
          asked();
          return mayCommit;
        };
        const writing = write(account(1), put({ owner: 'new' }), { verify });
        await isAsked;
        const reading = confirmedRead(1);
        await blocked(1);
        commit();
        expect((await reading).row).toMatchObject({ owner: 'new' });
        await writing;
      });
    }

    it('a confirmed read of a key that nobody writes leaves nothing behind', async () => {
      expect(await confirmedRead(9)).toEqual({ version: 0, fence: 0, row: null });
      await expectRows('select 1 from lockstep_keys', 0);
    });
  },
);
