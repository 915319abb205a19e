import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';

/** As much of a Redis server as a connection needs, with any error reply to any command. */
export interface RefusingRedis {
  readonly url: string;
  /** From now on these commands (lower case) are answered this error; null: none. */
  refuse(reply: string | null, commands?: readonly string[]): void;
  readonly connections: number;
  stop(): void;
}

export async function startRefusingRedis(): Promise<RefusingRedis> {
  let refused: { reply: string; commands: readonly string[] } | null = null;
  let connections = 0;
  const sockets = new Set<Socket>();
  const answer = (name: string): string => {
    if (refused?.commands.includes(name) === true) return `-${refused.reply}\r\n`;
    if (name === 'hello') return '%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n';
    if (name === 'role') return '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n';
    if (name === 'info') return '$10\r\nrun_id:one\r\n';
    if (name === 'evalsha' || name === 'eval') return '*1\r\n:1\r\n';
    return name === 'getex' ? '$-1\r\n' : '+OK\r\n';
  };
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    let text = '';
    socket.setEncoding('latin1').on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: string) => {
      text += chunk;
      for (let command = nextCommand(text); command !== null; command = nextCommand(text)) {
        text = text.slice(command.length);
        socket.write(answer(command.name));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `redis://127.0.0.1:${port}`,
    refuse(reply, commands = ['evalsha', 'eval', 'getex', 'get', 'unlink', 'pttl']) {
      refused = reply === null ? null : { reply, commands };
    },
    get connections() {
      return connections;
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The first whole command of the text: an array of bulk strings. */
function nextCommand(text: string): { name: string; length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return null;
  let at = head[0].length;
  let name = '';
  for (let part = 0; part < Number(head[1]); part++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return null;
    const begin = at + size[0].length;
    if (part === 0) name = text.slice(begin, begin + Number(size[1])).toLowerCase();
    at = begin + Number(size[1]) + 2;
    if (at > text.length) return null;
  }
  return { name, length: at };
}
