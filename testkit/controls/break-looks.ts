import type { InvalidationLooks } from '../../client/src/invalidation-looks.ts';
import type { LocalControl } from './names.ts';
import { over } from './over.ts';

/** How a client reads invalidation streams, with one protection broken. */
export function breakLooks(control: LocalControl, looks: InvalidationLooks): InvalidationLooks {
  switch (control) {
    case 'local-without-gap-check':
      return hideGaps(looks);
  }
}

/** Whatever was missed, the messages seem to follow one another (RP16 broken). */
function hideGaps(looks: InvalidationLooks): InvalidationLooks {
  return over(looks, {
    look: async (known) => {
      const { streams, isComplete } = await looks.look(known);
      const mended = streams.map(({ messages, newestId }, index) => {
        let before = known[index]?.lastId ?? '';
        const chained = messages.map((message) => {
          const link = { ...message, before };
          before = message.id;
          return link;
        });
        return { messages: chained, newestId: before === '' ? newestId : before };
      });
      return { streams: mended, isComplete };
    },
  });
}
