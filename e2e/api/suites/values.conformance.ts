import { describe, expect, test } from 'vitest';
import { expectProblem } from '../../support/problem.ts';
import type { TestBed } from '../../support/shared-instance.ts';
import { newId } from '../../support/shop.ts';

const sampleId = (): number => newId() % 2_000_000_000;

/** Column, what is sent, what comes back. */
const VALUES: [string, unknown, unknown][] = [
  ['small', 32_767, 32_767],
  ['small', null, null],
  ['big', '9007199254740993', '9007199254740993'],
  ['big', '-9223372036854775808', '-9223372036854775808'],
  ['exact', '12345678901234567890.0123456789', '12345678901234567890.0123456789'],
  ['exact', '-0.5', '-0.5000000000'],
  ['approximate', 0.1, 0.1],
  ['approximate', -1.5e300, -1.5e300],
  ['flag', true, true],
  ['flag', false, false],
  ['label', 'né 你🚀', 'né 你🚀'],
  ['label', '', ''],
  ['happened_at', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z'],
  ['happened_at', '2026-01-02T05:04:05.678+02:00', '2026-01-02T03:04:05.678Z'],
  ['day', '2024-02-29', '2024-02-29'],
  ['raw', 'AAEC/w==', 'AAEC/w=='],
  ['raw', '', ''],
];

const WRONG: [string, unknown][] = [
  ['small', 40_000],
  ['small', 1.5],
  ['small', 'many'],
  ['big', '9223372036854775808'],
  ['big', {}],
  ['exact', 'NaN?'],
  ['exact', [1]],
  ['approximate', 'fast'],
  ['flag', 'yes'],
  ['label', 'longer than ten'],
  ['label', 5],
  ['label', 'nul \u0000'],
  ['happened_at', 'yesterday'],
  ['happened_at', '2026-02-30T00:00:00Z'],
  ['day', '2023-02-29'],
  ['raw', 'not base64!'],
  ['unknown_column', 1],
  ['__proto__', 1],
  ['constructor', 1],
];

export function describeValues(bed: TestBed): void {
  describe('a value', () => {
    test.each(VALUES)(
      '%s %j comes back as %j, the same from every source',
      async (column, sent, expected) => {
        const id = sampleId();
        const written = await bed.api.put('sample', id, { [column]: sent });
        expect(written.status).toBe(201);
        expect(written.body.value?.[column]).toEqual(expected);
        const cached = await bed.api.get('sample', id);
        expect(cached.body.source).toBe('cache');
        const primary = await bed.api.get('sample', id, '?consistency=primary');
        expect(primary.body.source).toBe('primary');
        expect(JSON.stringify(cached.body.value)).toBe(JSON.stringify(written.body.value));
        expect(JSON.stringify(primary.body.value)).toBe(JSON.stringify(written.body.value));
        await bed.api.delete('sample', id);
      },
    );

    test('of JSON keeps its structure', async () => {
      const id = sampleId();
      const document = { list: [1, 'two', null, { three: 3.5 }], empty: {}, text: 'né 🚀' };
      await bed.api.put('sample', id, { document });
      expect((await bed.api.get('sample', id)).body.value?.document).toEqual(document);
      expect(
        (await bed.api.get('sample', id, '?consistency=primary')).body.value?.document,
      ).toEqual(document);
    });

    test('of JSON keeps every digit of its numbers in the database, the cache and the answers (J1)', async () => {
      const id = sampleId();
      const path = `/v1/resources/sample/${id}`;
      const headers = { 'content-type': 'application/json', 'idempotency-key': `digits-${id}` };
      const document =
        '{"a":750727362669608961,"b":1.10,"c":[123456789012345678901234567890],"d":0.1000000000000000055}';
      const rawBody = `{"document":${document}}`;
      const written = await bed.api.call('PUT', path, { rawBody, headers });
      expect(written.status).toBe(201);
      const [stored] = await bed.behind.sql(
        "SELECT concat('', document) AS text FROM samples WHERE id = ?",
        [id],
      );
      const kept = String(stored?.text).replaceAll(' ', '');
      // MySQL rounds such numbers to a double; what it keeps is what is answered.
      const [server] = await bed.behind.sql("SELECT concat('', version()) AS version", []);
      if (!/^[89]/.test(String(server?.version))) expect(kept).toBe(document);
      const repeated = await bed.api.call('PUT', path, { rawBody, headers });
      const cached = await bed.api.get('sample', id);
      expect(cached.body.source).toBe('cache');
      const primary = await bed.api.get('sample', id, '?consistency=primary');
      const batch = await bed.api.post('/v1/batch', {
        operations: [{ op: 'get', resource: 'sample', key: id }],
      });
      for (const answer of [written, repeated, cached, primary, batch]) {
        expect(answer.text).toContain(`"document":${kept}`);
      }
    });

    test('of JSON null is not SQL NULL, and is written back as it was read (J2)', async () => {
      const id = sampleId();
      const isNull = async (): Promise<number> => {
        const [row] = await bed.behind.sql(
          'SELECT CASE WHEN document IS NULL THEN 1 ELSE 0 END AS gone FROM samples WHERE id = ?',
          [id],
        );
        return Number(row?.gone);
      };
      await bed.api.put('sample', id, { document: { $json: null } });
      expect(await isNull()).toBe(0);
      const { value } = (await bed.api.get('sample', id)).body;
      expect(value?.document).toEqual({ $json: null });
      await bed.api.patch('sample', id, { document: value?.document });
      expect(await isNull()).toBe(0);
      await bed.api.patch('sample', id, { document: null });
      expect(await isNull()).toBe(1);
      expect((await bed.api.get('sample', id)).body.value?.document).toBeNull();
    });

    test('that is a number beyond a double keeps all its digits', async () => {
      const id = sampleId();
      const rawBody = '{"big":9007199254740993,"exact":12345678901234567890.0123456789}';
      const headers = { 'content-type': 'application/json' };
      const path = `/v1/resources/sample/${id}`;
      const written = await bed.api.call('PUT', path, { rawBody, headers });
      expect(written.text).toContain(
        '"big":"9007199254740993","exact":"12345678901234567890.0123456789"',
      );
    });

    test('big numbers are incremented without loss', async () => {
      const id = sampleId();
      await bed.api.put('sample', id, { big: '9007199254740993', exact: '0.1' });
      const answer = await bed.api.patch('sample', id, { $inc: { big: 2, exact: '0.0000000002' } });
      expect(answer.body.value).toMatchObject({ big: '9007199254740995', exact: '0.1000000002' });
    });

    test.each(WRONG)(
      '%s %j is INVALID with its path, and nothing is written',
      async (column, sent) => {
        const id = sampleId();
        const body = `{${JSON.stringify(column)}:${JSON.stringify(sent)}}`;
        const headers = { 'content-type': 'application/json' };
        const answer = await bed.api.call('PUT', `/v1/resources/sample/${id}`, {
          rawBody: body,
          headers,
        });
        expectProblem(answer, 'INVALID');
        expect(answer.body.errors?.map((fault) => fault.path)).toEqual([
          expect.stringContaining(column),
        ]);
        expect(await bed.behind.sql('SELECT id FROM samples WHERE id = ?', [id])).toEqual([]);
      },
    );

    test('every wrong field is named at once', async () => {
      const answer = await bed.api.put('sample', sampleId(), {
        small: 'x',
        flag: 'x',
        nothing: 1,
        label: 'fine',
      });
      expectProblem(answer, 'INVALID');
      const paths = answer.body.errors?.map((fault) => fault.path).toSorted();
      expect(paths).toEqual([
        expect.stringContaining('flag'),
        expect.stringContaining('nothing'),
        expect.stringContaining('small'),
      ]);
    });

    test('an increment beyond the column’s range is refused and changes nothing', async () => {
      const id = sampleId();
      await bed.api.put('sample', id, { small: 32_000 });
      const answer = await bed.api.patch('sample', id, { $inc: { small: 1_000 } });
      expect(['INVALID', 'CONSTRAINT']).toContain(answer.body.code);
      expect(answer.body.outcome).toBe('not_applied');
      expect((await bed.api.get('sample', id)).body).toMatchObject({
        version: 1,
        value: { small: 32_000 },
      });
    });
  });
}
