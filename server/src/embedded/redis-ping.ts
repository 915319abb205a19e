import { connect } from 'node:net';

/**
 * Resolves when a Redis on this loopback port has authenticated us and answers PING, so it has loaded its data.
 * @throws Error with the server's message, or if nothing answers within `timeoutMs`.
 */
export function pingRedis(port: number, password?: string, timeoutMs = 1_000): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    const expected = password === undefined ? 1 : 2;
    let answer = '';
    const finish = (error?: Error): void => {
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.setTimeout(timeoutMs, () => finish(new Error('Redis does not answer')));
    socket.once('error', finish);
    socket.once('close', () => finish(new Error('Redis closed the connection')));
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      const lines = answer.split('\r\n').slice(0, -1);
      const refusal = lines.find((line) => line.startsWith('-'));
      if (refusal !== undefined) finish(new Error(refusal.slice(1)));
      else if (lines.length >= expected) finish();
    });
    socket.write(`${password === undefined ? '' : `AUTH ${password}\r\n`}PING\r\n`);
  });
}
