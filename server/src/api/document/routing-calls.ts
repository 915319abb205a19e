import { z } from 'zod';
import { answer, type Call, KEY, keyPath, problems } from './calls.ts';
import { key } from './schemas.ts';

const place = { instance: z.string(), url: z.string() };

const members = z
  .strictObject({
    instance: z.string().meta({ description: 'Who answers.' }),
    mode: z.enum(['serve', 'forward']),
    members: z.array(
      z.strictObject({
        ...place,
        self: z.boolean(),
        leaving: z.boolean().meta({ description: 'It is stopping, and home of nothing.' }),
        seenAgoMs: z.int(),
        upMs: z.int(),
      }),
    ),
  })
  .meta({ id: 'Members' });

const home = z
  .strictObject({
    resource: z.string(),
    key,
    home: z
      .strictObject(place)
      .nullable()
      .meta({ description: 'null while the database does not tell who is a member.' }),
    self: z.boolean(),
  })
  .meta({ id: 'Home' });

export const routingCalls: Call[] = [
  {
    method: 'get',
    path: '/v1/routing',
    summary: 'The coordinators that live',
    responses: { 200: answer('As this one knows them', members), ...problems([]) },
  },
  {
    method: 'get',
    path: '/v1/routing/{resource}/{key}',
    summary: 'Which coordinator is home for a key',
    request: { params: keyPath },
    responses: { 200: answer('Its home', home), ...problems(KEY) },
  },
];
