import type { IncomingMessage } from 'node:http';

/** Headers that ask for another protocol or describe it. */
const OF_AN_UPGRADE = ['upgrade', 'http2-settings'];

/**
 * The head of a request without its request for another protocol, as bytes: a server that does not know the protocol
 * ignores that part (RFC 9110, 7.8).
 */
export function headWithoutUpgrade({
  method = 'GET',
  url = '/',
  httpVersion,
  rawHeaders,
}: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (OF_AN_UPGRADE.includes(lower)) continue;
    if (lower !== 'connection') lines.push(`${name}: ${value}`);
    else if (otherOptions(value) !== '') lines.push(`${name}: ${otherOptions(value)}`);
  }
  // Node reads heads byte by byte as Latin-1.
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

const otherOptions = (connection: string): string =>
  connection
    .split(',')
    .map((option) => option.trim())
    .filter((option) => option !== '' && !OF_AN_UPGRADE.includes(option.toLowerCase()))
    .join(', ');
