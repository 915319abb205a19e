/** The process of a service: carries out the calls that its parent sends, all concurrently. */
import { FailedCall } from '../contender.ts';
import type { Call, FromService, Reply, ServiceOptions, ToService } from './protocol.ts';
import { ByHandService } from './service.ts';

const service = new ByHandService(JSON.parse(process.argv[2] ?? '') as ServiceOptions);
let replies: Reply[] = [];

process.on('message', (message: ToService) => {
  if (message === 'end') void end();
  else for (const call of message.calls) void answer(call);
});
process.on('disconnect', () => process.exit(1));
await service.open();
send('ready');

async function answer(call: Call): Promise<void> {
  const [id] = call;
  try {
    const { n, fromDatabase } = await perform(call);
    reply([id, n, fromDatabase]);
  } catch (error) {
    if (!(error instanceof FailedCall)) throw error;
    reply([id, error.kind, false]);
  }
}

async function perform([, operation, key, value]: Call): Promise<{
  n: number;
  fromDatabase: boolean;
}> {
  switch (operation) {
    case 'read':
      return service.read(key);
    case 'write':
      return { n: await service.write(key, value), fromDatabase: false };
    case 'readThenWrite':
      return { n: await service.readThenWrite(key), fromDatabase: false };
  }
}

/** All replies of one iteration of the event loop are sent in one message. */
function reply(one: Reply): void {
  if (replies.length === 0) {
    setImmediate(() => {
      send({ replies });
      replies = [];
    });
  }
  replies.push(one);
}

function send(message: FromService): void {
  process.send?.(message);
}

async function end(): Promise<void> {
  await service.close();
  process.exit(0);
}
