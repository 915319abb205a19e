import { afterAll, beforeAll, beforeEach, onTestFailed } from 'vitest';
import { ApiClient } from './api-client.ts';
import {
  startInstance,
  type Instance,
  type InstanceOptions,
} from '@lockstep/testkit/instances/instance';
import { openSideDoor, type SideDoor } from './side-door.ts';

/** A running instance with clients for each token; they follow it over a restart. */
export interface TestBed {
  readonly instance: Instance;
  /** With the service token. */
  readonly api: ApiClient;
  /** With the admin token. */
  readonly admin: ApiClient;
  /** Without a token. */
  readonly anonymous: ApiClient;
  readonly behind: SideDoor;
  /** New clients, for an instance that has been started again. */
  reconnect(): Promise<void>;
}

/**
 * One instance for all tests of a file: started before the first, ended after the last, when it must end in order and
 * leave nothing behind. The log's end is printed with a failed test.
 */
export function useInstance(options: () => InstanceOptions | Promise<InstanceOptions>): TestBed {
  let instance: Instance | undefined;
  let clients: Clients | undefined;
  const started = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error('The instance has not been started');
    return value;
  };
  const bed: TestBed = {
    get instance() {
      return started(instance);
    },
    get api() {
      return started(clients).api;
    },
    get admin() {
      return started(clients).admin;
    },
    get anonymous() {
      return started(clients).anonymous;
    },
    get behind() {
      return started(clients).behind;
    },
    reconnect: async () => {
      await clients?.close();
      clients = connect(started(instance));
    },
  };
  beforeAll(async () => {
    instance = await startInstance(await options());
    clients = connect(instance);
  });
  beforeEach(() => {
    onTestFailed(({ task }) => {
      process.stderr.write(
        `--- log of the instance of "${task.name}"\n${instance?.logTail() ?? ''}\n`,
      );
    });
  });
  afterAll(async () => {
    await clients?.close();
    await instance?.dispose();
  });
  return bed;
}

interface Clients {
  api: ApiClient;
  admin: ApiClient;
  anonymous: ApiClient;
  behind: SideDoor;
  close(): Promise<void>;
}

function connect(instance: Instance): Clients {
  const { runtime } = instance;
  const api = new ApiClient(runtime.url, runtime.serviceToken);
  const admin = new ApiClient(runtime.url, runtime.adminToken);
  const anonymous = new ApiClient(runtime.url, null);
  const behind = openSideDoor(instance.sideDoor);
  return {
    api,
    admin,
    anonymous,
    behind,
    close: async () => {
      await Promise.all([api.close(), admin.close(), anonymous.close(), behind.close()]);
    },
  };
}
