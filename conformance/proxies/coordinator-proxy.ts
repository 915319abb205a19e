/**
 * A proxy between the reader and the coordinator: it sees every request, and can change the list of resources, answer
 * reads in the coordinator's place, or be away.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Catalog } from '@lockstep/shared';
import { request } from 'undici';

export interface SeenRequest {
  method: string;
  /** With its query. */
  path: string;
  body: string;
}

export interface GivenAnswer {
  status: number;
  contentType: string;
  body: string;
}

const CATALOG = '/v1/resources';
/** Of one connection, told anew by the server that answers, or untrue of a list of resources that was changed. */
const NOT_PASSED_ON = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'etag',
  'expect',
  'host',
  'if-none-match',
  'keep-alive',
  'transfer-encoding',
]);

export class CoordinatorProxy {
  /** The requests for rows; not those for the list of resources. */
  readonly asked: SeenRequest[] = [];
  /** How often the list of resources was answered. */
  catalogsAnswered = 0;
  /** Changes the list of resources before the reader gets it. */
  change: (catalog: Catalog) => void = () => undefined;
  /** Answers requests for rows in the coordinator's place. */
  answerInstead: GivenAnswer | null = null;
  readonly #target: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isAway = false;

  private constructor(target: string) {
    this.#target = target.replace(/\/$/, '');
    this.#server = createServer((incoming, response) => void this.#serve(incoming, response));
    this.#server.on('connection', (socket) => {
      socket.on('error', () => undefined); // `close` follows
      if (this.#isAway) socket.resetAndDestroy();
      else {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
      }
    });
  }

  static async open(target: string): Promise<CoordinatorProxy> {
    const proxy = new CoordinatorProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends every connection, and refuses new ones. */
  goAway(): void {
    this.#isAway = true;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  comeBack(): void {
    this.#isAway = false;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const { method = 'GET', url: path = '/' } = incoming;
      const body = Buffer.concat(chunks).toString();
      const isCatalog = path === CATALOG && method === 'GET';
      if (!isCatalog) this.asked.push({ method, path, body });
      if (!isCatalog && this.answerInstead !== null) {
        const given = this.answerInstead;
        response.writeHead(given.status, { 'content-type': given.contentType }).end(given.body);
        return;
      }
      await this.#passOn(incoming, { method, path, body }, response);
    } catch {
      // The coordinator, or the reader, has gone away.
      response.destroy();
    }
  }

  async #passOn(
    incoming: IncomingMessage,
    { method, path, body }: SeenRequest,
    response: ServerResponse,
  ): Promise<void> {
    const answer = await request(this.#target + path, {
      method,
      headers: passedOn(incoming.headers),
      ...(body === '' ? {} : { body }),
    });
    let text = await answer.body.text();
    if (path === CATALOG && method === 'GET' && answer.statusCode === 200) {
      const catalog = JSON.parse(text) as Catalog;
      this.change(catalog);
      text = JSON.stringify(catalog);
      this.catalogsAnswered += 1;
    }
    response.writeHead(answer.statusCode, passedOn(answer.headers)).end(text);
  }
}

const passedOn = (headers: NodeJS.Dict<string | string[]>): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || NOT_PASSED_ON.has(name) ? [] : [[name, value]],
    ),
  );
