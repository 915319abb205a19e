/** What the coordinator tells the load's process when it starts; not on a command line, where everyone could read the token. */
export interface LoadStart {
  url: string;
  token: string;
  operationsPerSecond: number;
}

export function isLoadStart(message: unknown): message is LoadStart {
  return (
    typeof message === 'object' &&
    message !== null &&
    'url' in message &&
    typeof message.url === 'string' &&
    'token' in message &&
    typeof message.token === 'string' &&
    'operationsPerSecond' in message &&
    typeof message.operationsPerSecond === 'number'
  );
}
