import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONTROLS, ENGINE_CONTROLS } from './index.ts';

const SERVER = join(import.meta.dirname, '..', '..', 'server');
const SHIPPED = join(SERVER, 'dist');
const CLIENT = join(SERVER, '..', 'client', 'dist');
const WITH_CONTROLS = join(SERVER, 'dist-controls');

function textOf(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}

describe('the shipped coordinator', () => {
  it.skipIf(!existsSync(SHIPPED))('has no control in it', () => {
    const text = textOf(SHIPPED);
    expect(text).toContain('PolicyWriteService');
    expect([...CONTROLS, 'LOCKSTEP_CONTROL'].filter((name) => text.includes(name))).toEqual([]);
  });

  it.skipIf(!existsSync(CLIENT))('goes with a client that has no control in it', () => {
    const text = textOf(CLIENT);
    expect(text).toContain('createClient');
    expect(CONTROLS.filter((name) => text.includes(name))).toEqual([]);
  });

  it.skipIf(!existsSync(WITH_CONTROLS))(
    'has a build apart with every control of the engine in it',
    () => {
      const text = textOf(WITH_CONTROLS);
      expect(ENGINE_CONTROLS.filter((name) => !text.includes(name))).toEqual([]);
    },
  );
});
