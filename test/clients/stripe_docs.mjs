// stripe_docs.mjs
//	The programs of docs/billing.md, as they stand there, with Stripe's
//	official package; what they ask of Stripe, stripe-mock judges.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';

import { keep, secrets, sql, states } from './stripe_server.mjs';
import { test } from './tap.mjs';

const text = readFileSync(process.env.BILLING, 'utf8');
const run = promisify(execFile);

// A block of that language, by what stands in its first line.
function block(language, first) {
	const found = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
		.find(([, is, content]) => is === language && content.startsWith(first));

	if (!found) {
		throw new Error(`docs/billing.md has no block ${first}`);
	}
	return found[2];
}

// Only the address of Stripe is another one.
function program(name) {
	const content = block('js', `// ${name}`);
	const there = 'new Stripe(process.env.STRIPE_SECRET_KEY)';
	const file = path.join(process.env.PEERS, `billing_${name}`);

	if (!content.includes(there)) {
		throw new Error(`${name} makes no client`);
	}
	writeFileSync(file, content.replace(there, there.replace(')', `, {
		host: '127.0.0.1', port: ${process.env.STRIPE_MOCK_PORT},
		protocol: 'http' })`)));
	return file;
}

async function print(name, env = {}) {
	const { stdout } = await run('node', [program(name)], {
		env: { ...process.env, ...env },
	});

	return stdout.trim();
}

// PostgREST's two answers, in front of its transactions.
function serve(postgrest) {
	const server = http.createServer(async (request, response) => {
		const chunks = await request.toArray();
		const content = Buffer.concat(chunks).toString();
		const isPassed = request.url.startsWith('/rest/v1/');
		const { payload, signature } = isPassed ? JSON.parse(content) : {};
		const { status, answer, code } = isPassed
			? await postgrest.pass(payload, signature)
			: await postgrest.post(content,
				request.headers['stripe-signature'] ?? null);

		response.writeHead(status, { 'content-type': 'application/json' });
		response.end(JSON.stringify(answer ?? { code }));
	});

	return new Promise((resolve) => {
		server.listen(0, '127.0.0.1', () => resolve(server));
	});
}

export async function tryDocuments(postgrest, ids, signed) {
	process.env.STRIPE_SECRET_KEY = 'sk_test_123';

	const server = await serve(postgrest);
	const address = `http://127.0.0.1:${server.address().port}`;

	await test('docs: a product and a price are made', async (assert) => {
		assert.match(await print('product.mjs'), /^price_/);
	});
	await test('docs: the price is a plan', async (assert) => {
		await sql(`DELETE FROM bambi.stripe_prices
			WHERE price = 'premium_monthly'`);
		await sql(`SET ROLE bambi_admin; ${
			block('sql', 'INSERT INTO bambi.stripe_prices')}`);
		assert.equal(await sql(`SELECT plan_type FROM bambi.stripe_prices
			WHERE price = 'premium_monthly'`), 'premium');
	});
	await test('docs: an endpoint is made', async () => {
		await print('endpoint.mjs',
			{ WEBHOOK_URL: 'https://example.com/rpc/bambi_stripe_webhook' });
	});
	await test('docs: the settings are taken', async (assert) => {
		await sql(block('sql', 'ALTER SYSTEM SET bambi.stripe_webhook')
			.replace('/etc/bambi/stripe', process.env.SECRETS));
		assert.equal(await sql('SHOW bambi.stripe_livemode'), 'off');
	});
	await test('docs: a checkout is begun', async (assert) => {
		const { checkout } = await import(program('checkout.mjs'));

		assert.match(await checkout(ids.user, 'ada@example.com'), /^https:/);
	});
	await test('docs: an event makes a user premium', async (assert) => {
		keep(secrets.old);
		assert.equal(await print('event.mjs', {
			WEBHOOK_URL: address, SECRET_FILE: process.env.SECRETS,
			USER_ID: ids.user,
		}), '200 "applied"');
		assert.equal((await states([ids.user]))[ids.user].holds, 'premium');
	});
	await test('docs: an Edge Function passes events on', async (assert) => {
		let handler;
		const Deno = {
			serve: (given) => {
				handler = given;
			},
			env: {
				get: (name) => name === 'SUPABASE_URL' ? address : 'sb_secret',
			},
		};
		const post = (body, signature) => handler(new Request(address,
			{ method: 'POST', body, headers: { 'stripe-signature': signature } }));

		new Function('Deno', block('js', '// index.ts'))(Deno);
		const { body, signature } = signed();

		assert.equal((await post(`${body} `, signature)).status, 400);
		const answer = await post(body, signature);

		assert.equal(answer.status, 200);
		assert.equal(await answer.text(), '"applied"');
	});
	await test('docs: what an operator looks at is there', async () => {
		await sql(`SET ROLE bambi_admin; ${
			block('sql', 'SELECT problem, customer_id')}`);
	});
	await test('docs: plans are made and given by hand', async (assert) => {
		const team = block('sql', 'SET ROLE bambi_admin;\nINSERT INTO bambi.plans');
		const give = block('sql', 'SELECT bambi_set_plan');

		await sql(`BEGIN; DELETE FROM bambi.subscriptions
			WHERE user_id = '${ids.user}'; ${team}
			${give.replaceAll(':\'user\'', `'${ids.user}'`)} ROLLBACK`);
		assert.ok(give.includes(':\'user\''));
	});
	server.close();
}
