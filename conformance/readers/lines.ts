/** The lines of README.md, from the reader's side. */
import { createInterface } from 'node:readline';
import { isJsonObject, type JsonObject, jsonText, parseJson } from '@lockstep/shared';
import type { Answer, KeyPart } from '../reader-process.ts';

export interface ReaderUnderTest {
  name: string;
  has: readonly string[];
  get(resource: string, key: readonly KeyPart[], session: string | undefined): Promise<Answer>;
  getMany?(resource: string, keys: readonly (readonly KeyPart[])[]): Promise<Answer[]>;
}

/** Answers each line of the input until it ends, and then ends the process. */
export function serve(reader: ReaderUnderTest): void {
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const request = parseJson(line);
      if (!isJsonObject(request)) return;
      void answerTo(reader, request).then((answer) => {
        process.stdout.write(`${jsonText({ id: request['id'] ?? null, ...answer })}\n`);
      });
    })
    .on('close', () => process.exit());
}

async function answerTo(reader: ReaderUnderTest, request: JsonObject): Promise<JsonObject> {
  const { op, resource, key, keys, session } = request;
  try {
    if (op === 'hello') return { name: reader.name, has: [...reader.has] };
    if (op === 'get') {
      const name = typeof session === 'string' ? session : undefined;
      return { ...(await reader.get(String(resource), key as KeyPart[], name)) };
    }
    if (op === 'getMany' && reader.getMany !== undefined) {
      const results = await reader.getMany(String(resource), keys as KeyPart[][]);
      return { results: results.map((answer) => ({ ...answer })) };
    }
    return { error: 'UNKNOWN_OP' };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    return { error: typeof code === 'string' ? code : String(error) };
  }
}

/** What the kit says of the servers. */
export function addresses(): { url: string; token: string; redis: string; refreshMs: number } {
  const { READER_URL = '', READER_TOKEN = '', READER_REDIS = '', READER_REFRESH_MS } = process.env;
  return {
    ...{ url: READER_URL, token: READER_TOKEN, redis: READER_REDIS },
    refreshMs: Number(READER_REFRESH_MS ?? 3_000),
  };
}
