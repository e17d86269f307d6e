// redis.mjs
//	The gateway of docs/caching.md refuses early what Redis knows, hears of
//	changes, and asks the database where Redis says nothing or is away.

import { spawn, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

import { sql, until } from './psql.mjs';
import { done, ok, test } from './tap.mjs';

const { CACHING, CLUSTER, REDIS, REDIS_PORT } = process.env;
const page = readFileSync(CACHING, 'utf8');
let server;

function redisCli(...words) {
	return execFileSync('redis-cli', ['-p', REDIS_PORT, ...words],
		{ encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

// The users are those that the page makes, with the passwords it shows.
async function startRedis() {
	server = spawn(`${REDIS}/redis-server`, ['--port', REDIS_PORT, '--bind',
		'127.0.0.1', '--save', '', '--dir', REDIS], { stdio: 'ignore' });
	await eventually(() => {
		try {
			return redisCli('PING') === 'PONG';
		} catch {
			return false;
		}
	});
	for (const [, words] of page.matchAll(/^ACL (SETUSER .*)$/gm)) {
		redisCli('ACL', ...words.split(' '));
	}
}

function stopRedis() {
	return new Promise((resolve) => {
		server.on('exit', resolve);
		server.kill('SIGKILL');
	});
}

async function eventually(holds) {
	const end = performance.now() + 180000;

	while (!await holds()) {
		if (performance.now() > end) {
			throw new Error(`waited in vain: ${holds}`);
		}
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

async function setUp() {
	await sql('CREATE EXTENSION bambi CASCADE');
	await sql('SELECT bambi_setup()');
	await sql(`CREATE ROLE gateway LOGIN IN ROLE bambi_service;
		ALTER SYSTEM SET bambi.redis_url = 'redis://127.0.0.1:${REDIS_PORT}';
		ALTER SYSTEM SET bambi.redis_networks = '127.0.0.1/32';
		ALTER SYSTEM SET bambi.redis_user = 'bambi';
		ALTER SYSTEM SET bambi.redis_password_file =
			'${CLUSTER}/redis-password';
		SELECT pg_reload_conf()`);
	await until('SELECT bambi_internal.cache_is_on()');
	const id = await sql(
		"SELECT bambi_sign_up('alice@example.com', 'correct horse')");
	await sql(`CREATE ROLE alice LOGIN IN ROLE bambi_user;
		ALTER ROLE alice SET bambi.user_id = '${id}';
		UPDATE bambi.plans SET generations_per_minute = NULL`);
	return id;
}

writeFileSync('gateway.mjs',
	/^## A gateway\n[^]*?^```js\n([^]*?)^```$/m.exec(page)[1]);
const { openGateway } = await import('./gateway.mjs');
const nobody = '00000000-0000-7000-8000-000000000000';
const model = 'sandbox/sandbox';
const make = `SELECT bambi_generate('a fawn', '${model}')`;
let asked = 0;

await startRedis();
const alice = await setUp();
const gateway = openGateway({
	url: `redis://gateway:ANOTHER@127.0.0.1:${REDIS_PORT}`,
	prefix: 'bambi:bambi',
	ask: async (key) => {
		asked++;
		const text = await sql(`SELECT bambi_cache_value('${key}')`, 'gateway');

		return text === '' ? null : JSON.parse(text);
	},
	log: () => {},
});

await test('a user who has something left is let through', async (assert) => {
	await eventually(async () => await gateway.refusal(alice, model) === null);
	assert.equal(await gateway.refusal(nobody, model), 401);
	assert.ok(asked > 0);
});

await test('what Redis knows is not asked again', async (assert) => {
	await eventually(() => redisCli('EXISTS', `bambi:bambi:user:${alice}`) === '1');
	await gateway.refusal(alice, model);
	asked = 0;
	assert.equal(await gateway.refusal(alice, model), null);
	assert.equal(asked, 0);
});

await test('it hears when nothing is left, and refuses by itself',
	async (assert) => {
		for (let i = 0; i < 10; i++) {
			await sql(make, 'alice');
		}
		await eventually(async () =>
			await gateway.refusal(alice, model) === 402);
		asked = 0;
		assert.equal(await gateway.refusal(alice, model), 402);
		assert.equal(asked, 0);
		await assert.rejects(sql(make, 'alice'), /PT402/);
	});

await test('it hears of another plan', async (assert) => {
	await sql(`UPDATE bambi.subscriptions SET plan_type = 'premium'
		WHERE user_id = '${alice}'`);
	await eventually(async () => await gateway.refusal(alice, model) === null);
	assert.equal((await gateway.get(`user:${alice}`)).plan_type, 'premium');
	await sql(make, 'alice');
});

await test('and of a plan that changes for all', async () => {
	await sql('UPDATE bambi.plans SET generations_per_period = 0');
	await eventually(async () => await gateway.refusal(alice, model) === 402);
	await sql('UPDATE bambi.plans SET generations_per_period = 500');
	await eventually(async () => await gateway.refusal(alice, model) === null);
});

await test('and of a model that is off', async () => {
	await sql("UPDATE bambi.models SET is_active = false WHERE model_id = 'sandbox'");
	await eventually(async () => await gateway.refusal(alice, model) === 404);
	await sql("UPDATE bambi.models SET is_active = true WHERE model_id = 'sandbox'");
	await eventually(async () => await gateway.refusal(alice, model) === null);
});

await test('without Redis it asks, and the database is right',
	async (assert) => {
		await stopRedis();
		await sql(`UPDATE bambi.users SET is_active = false
			WHERE id = '${alice}'`);
		await eventually(async () =>
			await gateway.refusal(alice, model) === 401);
		asked = 0;
		assert.equal(await gateway.refusal(alice, model), 401);
		assert.equal(asked, 2);
		await sql(`UPDATE bambi.users SET is_active = true
			WHERE id = '${alice}'`);
		assert.equal(await gateway.refusal(alice, model), null);
		await sql(make, 'alice');
	});

await test('when Redis is back, so is what it knows', async (assert) => {
	await startRedis();
	await eventually(async () => {
		await gateway.refusal(alice, model);
		return redisCli('EXISTS', `bambi:bambi:user:${alice}`) === '1';
	});
	await eventually(async () => {
		asked = 0;
		await gateway.refusal(alice, model);
		return asked === 0;
	});
	assert.equal(await gateway.refusal(alice, model), null);
});

await test('the users of the page may do no more', async (assert) => {
	const as = (name, password, ...words) => {
		try {
			return redisCli('--no-auth-warning', '--user', name, '--pass',
				password, ...words);
		} catch (error) {
			return error.stdout;
		}
	};

	assert.match(as('gateway', 'ANOTHER', 'SET', 'bambi:x', '1'), /NOPERM/);
	assert.match(as('gateway', 'ANOTHER', 'GET', 'other'), /NOPERM/);
	assert.match(as('bambi', 'PASSWORD', 'KEYS', '*'), /NOPERM/);
	assert.match(as('bambi', 'PASSWORD', 'FLUSHALL'), /NOPERM/);
});

gateway.close();
ok(await stopRedis() !== undefined, 'Redis is gone');
done();
