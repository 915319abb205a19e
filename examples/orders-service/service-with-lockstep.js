/** The same service after an afternoon: products are read through Lockstep. Its writes are as they were. */
import { createClient } from '@lockstep/client';
import express from 'express';
import { Redis } from 'ioredis';
import knex from 'knex';

const { DATABASE_CLIENT, DATABASE_URL, REDIS_URL, PORT = '0' } = process.env;
const db = knex({ client: DATABASE_CLIENT, connection: DATABASE_URL, pool: { min: 2, max: 10 } });
const redis = new Redis(REDIS_URL);
const { LOCKSTEP_URL: url, LOCKSTEP_TOKEN: token } = process.env;
const lockstep = createClient({ url, token, redis });
const app = express();
app.use(express.json());

async function productOf(id) {
  return (await lockstep.get('product', id))?.value ?? null;
}

app.get('/products/:id', async (request, response) => {
  const product = await productOf(request.params.id);
  if (product === null) return response.status(404).json({ error: 'no such product' });
  response.json(product);
});

app.patch('/products/:id', async (request, response) => {
  const { id } = request.params;
  const changed = await db('products').where({ id }).update({ name: request.body.name });
  await redis.del(`product:${id}`);
  response.status(changed === 0 ? 404 : 200).json({ changed });
});

app.post('/orders', async (request, response) => {
  const { product: id, quantity } = request.body;
  const taken = await db.transaction(async (trx) => {
    const there = await trx('products').where({ id }).where('stock', '>=', quantity);
    if (there.length === 0) return false;
    await trx('products').where({ id }).decrement('stock', quantity);
    await trx('product_orders').insert({ product_id: id, quantity });
    return true;
  });
  await redis.del(`product:${id}`);
  response.status(taken ? 201 : 409).json({ taken });
});

// A statement for many rows. Nobody thought of the cache.
app.post('/restock', async (request, response) => {
  const { category, quantity } = request.body;
  const changed = await db('products').where({ category }).increment('stock', quantity);
  response.json({ changed });
});

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
process.on('SIGTERM', () => {
  const closed = () => Promise.all([lockstep.close(), db.destroy(), redis.quit()]);
  server.close(() => closed().then(() => process.exit(0)));
  server.closeIdleConnections();
});
