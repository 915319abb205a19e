import { describe, expect, it } from 'vitest';
import { covers, justBefore, laterPosition, UNKNOWN_POSITION } from '../domain/index.ts';
import { mariaDbPositions, mysqlPositions } from './mysql/replica-positions.ts';
import { pgPositions } from './postgres/replica-positions.ts';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const OTHER = '4e11fa47-71ca-11e1-9e33-c80aa9429562';
const position = (dialect: typeof pgPositions, text: string): string => {
  const parsed = dialect.parse(text);
  if (parsed === null) throw new Error(`${text} is no position`);
  return parsed;
};

describe('positions of PostgreSQL', () => {
  it('are bytes of the log, beyond 32 bits', () => {
    expect(pgPositions.parse('0/0')).toBe('0');
    expect(pgPositions.parse('1/0')).toBe('4294967296');
    expect(pgPositions.parse('16/B374D848')).toBe('97500059720');
    expect(pgPositions.parse('nothing')).toBeNull();
  });

  it('are reached in the order of the log, not of their text', () => {
    const needed = position(pgPositions, '9/0');
    expect(pgPositions.hasReached('9/0', needed)).toBe(true);
    expect(pgPositions.hasReached('A/0', needed)).toBe(true);
    expect(pgPositions.hasReached('10/0', needed)).toBe(true);
    expect(pgPositions.hasReached('8/FFFFFFFF', needed)).toBe(false);
  });

  it('are not reached by a standby of an earlier timeline, however far it is', () => {
    const needed = position(pgPositions, '0/10@00000002');
    expect(needed).toBe('16@2');
    expect(pgPositions.hasReached('FF/0@00000001', needed)).toBe(false);
    expect(pgPositions.hasReached('0/10@00000002', needed)).toBe(true);
    expect(pgPositions.hasReached('0/20@0000000A', needed)).toBe(true);
    expect(pgPositions.hasReached('FF/0@00000002', '16@what')).toBe(false);
  });

  it('tell a standby that has more than its primary', () => {
    expect(pgPositions.isAhead('0/10@00000001', '16@1')).toBe(false);
    expect(pgPositions.isAhead('0/11@00000001', '16@1')).toBe(true);
    expect(pgPositions.isAhead('0/1@00000002', '16@1')).toBe(true);
  });

  it('tell a standby of another system', () => {
    expect(pgPositions.identityFault('1', '1')).toBeNull();
    expect(pgPositions.identityFault('1', '2')).toMatch(/another system/);
  });
});

describe('positions of MariaDB', () => {
  it('count the transactions of all domains and keep the ids', () => {
    expect(mariaDbPositions.parse('0-1-270,5-2-30')).toBe('300@0-1-270,5-2-30');
    expect(mariaDbPositions.parse('')).toBeNull();
    expect(mariaDbPositions.parse('0-1')).toBeNull();
  });

  it('are reached in every domain, whichever server wrote last', () => {
    const needed = position(mariaDbPositions, '0-1-270,5-2-30');
    expect(mariaDbPositions.hasReached('5-2-30,0-9-270', needed)).toBe(true);
    expect(mariaDbPositions.hasReached('0-1-999,5-2-29', needed)).toBe(false);
    expect(mariaDbPositions.hasReached('0-1-999', needed)).toBe(false);
  });
});

describe('a replica of MariaDB', () => {
  it('has more than its primary by domain; one that the primary has not is of another primary', () => {
    const primary = position(mariaDbPositions, '0-1-270,5-2-30');
    expect(mariaDbPositions.isAhead('0-1-270,5-2-30,7-3-999', primary)).toBe(false);
    expect(mariaDbPositions.isAhead('0-1-271,5-2-1', primary)).toBe(true);
  });
});

describe('positions of MySQL', () => {
  it('count the transactions of the set and keep it', () => {
    expect(mysqlPositions.parse(`${UUID}:1-5:7`)).toBe(`6@${UUID}:1-5:7`);
    expect(mysqlPositions.parse(`${UUID}:1-5,${OTHER}:tag:1-3:9`)).toMatch(/^9@/);
    expect(mysqlPositions.parse('16/B374D848')).toBeNull();
  });

  it('are reached where every id of the set is there', () => {
    const needed = position(mysqlPositions, `${UUID}:1-5:7,${OTHER}:tag:2-3`);
    expect(mysqlPositions.hasReached(`${OTHER}:tag:1-3,${UUID}:1-9`, needed)).toBe(true);
    expect(mysqlPositions.hasReached(`${OTHER}:1-3,${UUID}:1-9`, needed)).toBe(false);
    expect(mysqlPositions.hasReached(`${OTHER}:tag:1-3,${UUID}:1-6:8-9`, needed)).toBe(false);
  });
});

describe('positions among themselves', () => {
  it('go by their rank, whatever their length', () => {
    expect(covers('10', '9')).toBe(true);
    expect(covers('9@0-1-9', '10@0-1-10')).toBe(false);
    expect(laterPosition('9', '10')).toBe('10');
    expect(laterPosition(null, '10')).toBe('10');
    expect(laterPosition('99999999999999999999', '9')).toBe('99999999999999999999');
  });

  it('never take an unknown one for reached', () => {
    expect(laterPosition(UNKNOWN_POSITION, '10')).toBe(UNKNOWN_POSITION);
    expect(covers('10', UNKNOWN_POSITION)).toBe(false);
    expect(covers(UNKNOWN_POSITION, '1')).toBe(false);
  });

  it('have one just before them, which no later one is equal to', () => {
    expect(justBefore('10@0-1-10')).toBe('9');
    expect(justBefore('0')).toBe('0');
  });
});
