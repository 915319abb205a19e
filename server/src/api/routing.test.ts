import { afterEach, describe, expect, it } from 'vitest';
import { LockstepError } from '../domain/index.ts';
import { memberNamed } from '@lockstep/testkit/doubles/router';
import {
  endNodes,
  leaving,
  sendRaw,
  startHere,
  startNode,
  startPair,
  startRefusing,
  startSilent,
} from '@lockstep/testkit/doubles/routed-nodes';

afterEach(endNodes);

const PUT = { body: { owner: 'ann' } };
const PATH = '/v1/resources/account/1';

describe('a call that arrives elsewhere, forwarded', () => {
  it('is carried out at its home alone, which the answer names (H3)', async () => {
    const { here, there } = await startPair();
    const put = await here.call('PUT', PATH, {
      ...PUT,
      headers: { 'Idempotency-Key': 'once', 'Lockstep-Timeout': '700', 'X-Request-Id': 'mine' },
    });
    expect(put).toMatchObject({ status: 201, json: { version: 1, value: { owner: 'ann' } } });
    expect(put.headers.get('lockstep-instance')).toBe('there');
    expect(put.headers.get('x-request-id')).toBe('mine');
    expect(put.headers.get('etag')).toBe('"1"');
    expect(here.store.requests).toHaveLength(0);
    expect(there.store.requests).toMatchObject([
      { idempotency: { key: 'once' }, waitTimeoutMs: 700 },
    ]);
    const got = await here.call('GET', PATH);
    expect(got).toMatchObject({ status: 200, json: { version: 1 } });
    const known = await here.call('GET', PATH, { headers: { 'If-None-Match': '"1"' } });
    expect(known).toMatchObject({ status: 304, text: '' });
    const patched = await here.call('PATCH', PATH, { ...PUT, headers: { 'If-Match': '"1"' } });
    expect(patched).toMatchObject({ status: 200, json: { version: 2 } });
    expect((await here.call('DELETE', PATH)).status).toBe(200);
    expect((await here.call('HEAD', PATH)).text).toBe('');
    expect(here.store.rows.size).toBe(0);
  });

  it('brings the home’s refusal to the caller, byte for byte (H3)', async () => {
    const { here, there } = await startPair();
    await there.call('PUT', PATH, PUT);
    const options = { ...PUT, headers: { 'If-Match': '"9"', 'X-Request-Id': 'same' } };
    const forwarded = await here.call('PUT', PATH, options);
    const direct = await there.call('PUT', PATH, options);
    expect(forwarded.status).toBe(412);
    expect(forwarded.text).toBe(direct.text);
    const own = (answer: typeof direct): string[][] =>
      [...answer.headers].filter(([name]) => !['date', 'keep-alive', 'connection'].includes(name));
    expect(own(forwarded)).toEqual(own(direct));
  });

  it('goes no further where two take each other for the home (H5)', async () => {
    let hereUrl = '';
    const { api: there } = await startNode({
      ...{ instance: 'there', mode: 'forward' },
      members: () => [
        memberNamed('here', hereUrl),
        leaving(memberNamed('there', 'http://x', true)),
      ],
    });
    const { api: here } = await startHere(() => there.url);
    hereUrl = here.url;
    const answer = await here.call('PUT', PATH, PUT);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('lockstep-instance')).toBe('there');
    expect([here.store.requests.length, there.store.requests.length]).toEqual([0, 1]);
  });

  it('is served where it is if it says that it was forwarded, whoever says so (H5)', async () => {
    const { here, there } = await startPair();
    const headers = { 'Lockstep-Forwarded-By': 'somebody' };
    const answer = await here.call('PUT', PATH, { ...PUT, headers });
    expect(answer.headers.get('lockstep-instance')).toBe('here');
    expect(answer.headers.get('lockstep-home')).toBe(there.url);
    const wrong = await here.call('PUT', PATH, { ...PUT, headers, token: 'wrong' });
    expect(wrong.status).toBe(401);
  });

  it('keeps what Lockstep acts on, though the caller names it in Connection (H3)', async () => {
    const { here, there } = await startPair();
    const names = 'Idempotency-Key, Lockstep-Timeout, X-Other';
    const answer = await sendRaw(here.url, PATH, {
      ...{ Connection: names, 'X-Other': 'gone', 'Keep-Alive': 'timeout=9' },
      ...{ 'Idempotency-Key': 'once', 'Lockstep-Timeout': '700' },
    });
    expect(answer).toMatch(/^HTTP\/1.1 201/);
    expect(there.store.requests).toMatchObject([
      { idempotency: { key: 'once' }, waitTimeoutMs: 700 },
    ]);
    const silent = await startSilent();
    const { api } = await startHere(() => silent.url);
    const sent = sendRaw(api.url, PATH, {
      Connection: names,
      'X-Other': 'gone',
      'If-Match': '"1"',
    });
    await expect.poll(() => silent.received()).toMatch(/if-match: "1"/i);
    expect(silent.received()).not.toMatch(/x-other/i);
    await sent;
  });

  it('is refused by another instance at the address of its home, and served where it arrives (H9)', async () => {
    const { api: stranger } = await startNode({
      ...{ instance: 'stranger', mode: 'serve' },
      members: () => [memberNamed('stranger', 'http://stranger.test', true)],
    });
    const { api: here } = await startHere(() => stranger.url);
    const put = await here.call('PUT', PATH, PUT);
    expect(put).toMatchObject({ status: 201, json: { version: 1 } });
    expect(put.headers.get('lockstep-instance')).toBe('here');
    expect(stranger.store.requests).toHaveLength(0);
    expect((await here.call('GET', PATH)).json).toMatchObject({ version: 1 });
    const direct = await stranger.call('PUT', PATH, {
      ...{ ...PUT, headers: { 'Lockstep-Forwarded-To': 'there' } },
    });
    expect(direct).toMatchObject({
      status: 421,
      json: { code: 'MISDIRECTED', outcome: 'not_applied' },
    });
    const leased = await here.call('DELETE', '/v1/leases/there~x');
    expect(leased.json).toMatchObject({ code: 'LOCK_TIMEOUT', outcome: 'not_applied' });
  });

  it('shows a caller without a token nothing, and sends nothing of it', async () => {
    const silent = await startSilent();
    const { api: here } = await startHere(() => silent.url);
    const answer = await here.call('PUT', PATH, { ...PUT, token: null });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('lockstep-home')).toBeNull();
    expect(silent.received()).toBe('');
  });

  it('is served where it arrives once so many are under way that no more go', async () => {
    const silent = await startSilent();
    const { api: here } = await startHere(() => silent.url, { maxForwards: 1 });
    const stuck = here.call('PUT', PATH, PUT);
    await expect.poll(() => silent.received()).not.toBe('');
    const answer = await here.call('PUT', '/v1/resources/account/2', PUT);
    expect(answer.headers.get('lockstep-instance')).toBe('here');
    expect((await stuck).status).toBe(504);
  });
});

const STOPPING = { leaving: () => true, draining: () => true };

describe('a home that cannot be used', () => {
  it('that takes no connection: its calls are served where they arrive (H6)', async () => {
    const url = await startRefusing();
    const { api: here } = await startHere(() => url);
    const answer = await here.call('PUT', PATH, PUT);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('lockstep-instance')).toBe('here');
    expect((await here.call('GET', PATH)).json).toMatchObject({ version: 1 });
  });

  it('that is stopping: its calls are served where they arrive, reads too (H6)', async () => {
    const { here, there } = await startPair({}, STOPPING);
    expect((await here.call('PUT', PATH, PUT)).headers.get('lockstep-instance')).toBe('here');
    expect((await there.call('GET', PATH)).json['code']).not.toBe('SHUTTING_DOWN');
    const other = await startPair({}, STOPPING);
    expect((await other.here.call('GET', PATH)).headers.get('lockstep-instance')).toBe('here');
  });

  it('that does not answer: a read is served here, a write’s outcome is unknown (H6)', async () => {
    const silent = await startSilent();
    const { api: here } = await startHere(() => silent.url);
    const [read, write] = await Promise.all([
      here.call('GET', PATH),
      here.call('PUT', PATH, { ...PUT, headers: { 'Lockstep-Timeout': '1' } }),
    ]);
    expect(read.headers.get('lockstep-instance')).toBe('here');
    expect(write).toMatchObject({
      status: 504,
      json: { code: 'OUTCOME_UNKNOWN', outcome: 'unknown' },
    });
    expect(here.store.requests).toHaveLength(0);
  });

  it('that does not answer: a write with an idempotency key is repeated here (H6)', async () => {
    const silent = await startSilent();
    const { api: here } = await startHere(() => silent.url);
    const headers = { 'Idempotency-Key': 'k', 'Lockstep-Timeout': '1' };
    const answer = await here.call('PUT', PATH, { ...PUT, headers });
    expect(answer.status).toBe(201);
    expect(here.store.requests).toMatchObject([{ idempotency: { key: 'k' } }]);
    expect(silent.received()).toMatch(/idempotency-key: k/i);
  });

  it('that had some of the time to wait for the key leaves the rest (H6)', async () => {
    const silent = await startSilent();
    const { api: here } = await startHere(() => silent.url);
    const headers = { 'Idempotency-Key': 'k', 'Lockstep-Timeout': '2000' };
    const write = here.call('PUT', PATH, { ...PUT, headers });
    await expect.poll(() => silent.received()).not.toBe('');
    silent.hangUp();
    expect((await write).status).toBe(201);
    const [{ waitTimeoutMs = 0 } = {}] = here.store.requests;
    expect(waitTimeoutMs).toBeLessThan(2_000);
    expect(waitTimeoutMs).toBeGreaterThanOrEqual(250);
    const briefly = { 'Idempotency-Key': 'l', 'Lockstep-Timeout': '100' };
    const url = await startRefusing();
    const { api: other } = await startHere(() => url);
    expect((await other.call('PUT', PATH, { ...PUT, headers: briefly })).status).toBe(201);
    expect(other.store.requests).toMatchObject([{ waitTimeoutMs: 100 }]);
  });

  it('that does not answer: a repeat that fails proves nothing of what was sent (H6)', async () => {
    const silent = await startSilent();
    const { api: here } = await startHere(() => silent.url);
    here.store.before = () => Promise.reject(new LockstepError('LOCK_TIMEOUT', 'Busy.'));
    const headers = { 'Idempotency-Key': 'k', 'Lockstep-Timeout': '1' };
    const answer = await here.call('PUT', PATH, { ...PUT, headers });
    expect(answer.json).toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
  });

  it('that is no member any more: what was sent to it is waited for no longer (H6)', async () => {
    const silent = await startSilent();
    let isThere = true;
    const { api: here, settle } = await startNode({
      mode: 'forward',
      members: () => [
        leaving(memberNamed('here', 'http://here.test', true)),
        ...(isThere ? [memberNamed('there', silent.url)] : []),
      ],
    });
    const headers = { 'Lockstep-Timeout': '20000' };
    const write = here.call('PUT', PATH, { ...PUT, headers });
    await expect.poll(() => silent.received()).not.toBe('');
    isThere = false;
    await settle();
    expect((await write).json).toMatchObject({ code: 'OUTCOME_UNKNOWN', outcome: 'unknown' });
    expect((await here.call('PUT', PATH, PUT)).status).toBe(201);
  });
});
