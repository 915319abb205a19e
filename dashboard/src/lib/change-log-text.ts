/** The change log in words for operators. */
import type { ChangeLogStatus } from '@lockstep/shared';
import { durationText } from './format.ts';

export type ChangeLogWord = { tone: 'ok' | 'watch' | 'act'; word: string };

/** One word for its state; another instance following it is as good as this one. */
export function changeLogWord({ state }: ChangeLogStatus): ChangeLogWord {
  switch (state) {
    case 'waiting':
    case 'streaming':
      return { tone: 'ok', word: 'following' };
    case 'sweeping':
      return { tone: 'watch', word: 'sweeping' };
    case 'behind':
      return { tone: 'watch', word: 'behind' };
    case 'away':
      return { tone: 'act', word: 'away' };
  }
}

/** What to say of it in the verdict; nothing where all is well. */
export function changeLogRemarks(
  status: ChangeLogStatus,
): { level: 'watch' | 'act'; what: string; safe: string; href: string }[] {
  const href = '#/';
  switch (status.state) {
    case 'waiting':
    case 'streaming':
      if (status.detail === null) return [];
      return [
        {
          level: 'watch',
          what: 'The change log does not tell all of a table',
          safe: `${status.detail}.`,
          href,
        },
      ];
    case 'sweeping':
      return [
        {
          level: 'watch',
          what: 'Changes round Lockstep may have been missed',
          safe: `${status.detail ?? 'Entries are being swept'}. Whatever may be old goes; reads of it go to the database once.`,
          href,
        },
      ];
    case 'behind':
      return [
        {
          level: 'watch',
          what: `The change log is behind by ${durationText(status.lagMs)}`,
          safe: 'Rows that were changed round Lockstep may be served that old. It works on it.',
          href,
        },
      ];
    case 'away':
      return [
        {
          level: 'act',
          what: 'The change log is not followed',
          safe: `${status.detail ?? 'The reason is in the log'}. Writes through Lockstep are safe, but those by the policy change-log, and changes round Lockstep, are served old until it goes on.`,
          href,
        },
      ];
  }
}
