/** A shop's products and orders, with a cache in Redis that the service keeps by hand. It knows nothing of Lockstep. */
import express from 'express';
import { Redis } from 'ioredis';
import knex from 'knex';

const { DATABASE_CLIENT, DATABASE_URL, REDIS_URL, PORT = '0' } = process.env;
const db = knex({ client: DATABASE_CLIENT, connection: DATABASE_URL, pool: { min: 2, max: 10 } });
const redis = new Redis(REDIS_URL);
const app = express();
app.use(express.json());

async function productOf(id) {
  const cached = await redis.get(`product:${id}`);
  if (cached !== null) return JSON.parse(cached);
  const row = await db('products').where({ id }).first();
  if (row === undefined) return null;
  await redis.set(`product:${id}`, JSON.stringify(row), 'EX', 600);
  return row;
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
  server.close(() => Promise.all([db.destroy(), redis.quit()]).then(() => process.exit(0)));
  server.closeIdleConnections();
});
