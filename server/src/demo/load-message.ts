/** What the coordinator sends to the load's process at its start; not by the command line, where everyone could read the token. */
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
