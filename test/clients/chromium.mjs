// chromium.mjs
//	The lines of docs/security.md seal a key in a browser: only the provider
//	sees it.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { openPage } from './browser.mjs';
import { start } from './mock.mjs';
import { quote, session, sql, until } from './psql.mjs';
import { done, ok, test } from './tap.mjs';

const key = 'sk-Xq7Zk2Vw9Lm4Rt6Yp1Hs8Dn3Bf5Gc0Jv';
const unreadable = 'key_unreadable|the stored key could not be opened';

// The blocks of JavaScript of the section "Plain or sealed".
function documented() {
	const text = readFileSync(process.env.SECURITY, 'utf8');
	const section = /^### Plain or sealed\n([^]*?)^##/m.exec(text)[1];

	return [...section.matchAll(/^```js\n([^]*?)^```$/gm)]
		.map((block) => block[1]);
}

async function signUp(name) {
	const id = await sql(
		`SELECT bambi_sign_up('${name}@example.com', 'correct horse')`);

	await sql(`CREATE ROLE ${name} LOGIN IN ROLE bambi_user;
		ALTER ROLE ${name} SET bambi.user_id = '${id}'`);
	return id;
}

async function setUp(origin) {
	await sql('CREATE EXTENSION bambi CASCADE');
	await sql('SELECT bambi_setup()');
	await sql(`UPDATE bambi.api_providers SET api_base_url = '${origin}/v1',
		allowed_networks = '{127.0.0.1/32}' WHERE slug = 'openai'`);
	await sql(`UPDATE bambi.plans SET generations_per_period = NULL,
		generations_per_minute = NULL, max_in_flight = NULL,
		key_checks_per_minute = NULL, key_checks_per_hour = NULL`);
	await until(
		'SELECT EXISTS (SELECT FROM bambi.encryption_keys WHERE is_current)');
}

const addKey = (sealed, provider = 'openai') =>
	`SELECT bambi_add_key('${provider}', ${quote(sealed)})`;

// Generates with a key, and gives how it ended.
async function outcome(user, configuration) {
	const id = await sql(`SELECT bambi_generate('a sealed fawn',
		'openai/gpt-image-2', '{"quality": "low"}', '${configuration}')`, user);

	await until(`SELECT status NOT IN ('queued', 'running')
		FROM bambi.image_generations WHERE id = '${id}'`);
	return await sql(`SELECT concat_ws('|', status, error_code, error_message)
		FROM bambi.image_generations WHERE id = '${id}'`);
}

// Calls that are no check of a key.
const generations = (calls) => calls.filter((call) => call.method === 'POST');

// The error of what must fail.
async function refusal(statement, user) {
	try {
		await sql(statement, user);
	} catch (error) {
		return error.message;
	}
	return 'no error';
}

// A sealed key with another header over the rest.
function withHeader(sealed, changed) {
	const [head, ...rest] = sealed.split('.');
	const header = JSON.parse(Buffer.from(head, 'base64url'));

	return [Buffer.from(JSON.stringify({ ...header, ...changed }))
		.toString('base64url'), ...rest].join('.');
}

// Another character of base64url for that one, or a letter for a dot.
const otherThan = (c) => (c === 'A' ? 'B' : 'A');

// The key with each of its bytes changed, added if it is taken; gives how
// many were refused.
async function addAllChanged(sealed) {
	const statements = [...sealed].map((c, i) => addKey(
		sealed.slice(0, i) + otherThan(c) + sealed.slice(i + 1))
		.replace(/\)$/, `, 'byte ${i}')`));

	return Number(await sql(`
		CREATE TEMP TABLE refused (message text);
		DO $do$
		DECLARE
			one text;
		BEGIN
			FOREACH one IN ARRAY ARRAY[${statements.map(quote).join(',\n')}] LOOP
				BEGIN
					EXECUTE one;
				EXCEPTION WHEN invalid_parameter_value THEN
					IF SQLERRM NOT LIKE 'sealed key is %' THEN
						RAISE;
					END IF;
					INSERT INTO refused VALUES (SQLERRM);
				END;
			END LOOP;
		END
		$do$;
		SELECT count(*) FROM refused`, 'alice'));
}

const scripts = documented();
const mock = await start();

await setUp(mock.origin);
const alice = await signUp('alice');
const bob = await signUp('bob');
const browser = await openPage(scripts.join(''));
const seal = (jwk, sub, prv, secret) => browser.page.evaluate(
	(args) => seal(...args), [jwk, sub, prv, secret]);

ok(scripts.length === 1, 'the documents show one way to seal in a browser');
ok(await browser.page.evaluate(() => isSecureContext),
	'the page may use WebCrypto');

const jwk = JSON.parse(await sql('SELECT bambi_sealing_key()', 'alice'));
const sealed = await seal(jwk, alice, 'openai', key);
const user = session('alice');
let configuration;

await test('what the page seals is taken, and stored as it is',
	async (assert) => {
		configuration = await user.run(addKey(sealed));
		assert.equal(await sql(`SELECT encrypted_api_key
			FROM bambi.api_configurations WHERE id = '${configuration}'`), sealed);
	});

// while the session is idle, its last statement stands there
const activity = await sql('SELECT query FROM pg_stat_activity');

await test('the provider gets exactly the key', async (assert) => {
	assert.equal(await outcome('alice', configuration), 'succeeded');
	const calls = mock.take();

	assert.equal(generations(calls).length, 1);
	for (const call of calls) {
		assert.equal(call.headers.authorization, `Bearer ${key}`);
	}
});

await test('a key with other characters, and a long one, arrive as they are',
	async (assert) => {
		const long = `sk-${'aZ09_-'.repeat(400)}`;
		const id =
			await sql(addKey(await seal(jwk, alice, 'openai', long)), 'alice');

		assert.equal(await outcome('alice', id), 'succeeded');
		assert.equal(generations(mock.take())[0].headers.authorization,
			`Bearer ${long}`);
	});

const foreign = /22023: sealed key is for another user or provider/;

await test('sealed for another user it is refused', async (assert) => {
	const bobs = await seal(jwk, bob, 'openai', key);

	assert.match(await refusal(addKey(bobs), 'alice'), foreign);
	assert.match(await refusal(addKey(sealed), 'bob'), foreign);
});

await test('sealed for another provider it is refused', async (assert) => {
	const other = await seal(jwk, alice, 'xai', key);

	assert.match(await refusal(addKey(other), 'alice'), foreign);
	assert.match(await refusal(addKey(sealed, 'xai'), 'alice'), foreign);
});

await test('sealed to a key of another name it is refused', async (assert) => {
	const other = await seal({ ...jwk, kid: 'file:x:y' }, alice, 'openai', key);

	assert.match(await refusal(addKey(other), 'alice'),
		/22023: sealed key is sealed to an unknown public key/);
});

await test('with another user in its head it does not open',
	async (assert) => {
		const id = await sql(addKey(withHeader(sealed, { sub: bob })), 'bob');

		assert.equal(await outcome('bob', id), `failed|${unreadable}`);
	});

await test('with its head in another order neither', async (assert) => {
	const { alg, ...rest } = JSON.parse(
		Buffer.from(sealed.split('.')[0], 'base64url'));
	const parts = sealed.split('.').slice(1);
	const head = Buffer.from(JSON.stringify({ ...rest, alg }));
	const id = await sql(addKey([head.toString('base64url'), ...parts].join('.')),
		'alice');

	assert.equal(await outcome('alice', id), `failed|${unreadable}`);
});

await test(`each of its ${sealed.length} bytes changed: refused or unreadable`,
	async (assert) => {
		mock.take();
		const refused = await addAllChanged(sealed);

		await sql(`SELECT bambi_generate(name, 'openai/gpt-image-2',
				'{"quality": "low"}', id)
			FROM bambi_configurations WHERE name LIKE 'byte %'`, 'alice');
		await until(`SELECT count(*) = 0 FROM bambi.image_generations
			WHERE status IN ('queued', 'running')`);
		const ends = await sql(`SELECT status, error_code, error_message, count(*)
			FROM bambi.image_generations WHERE prompt LIKE 'byte %'
			GROUP BY 1, 2, 3`);
		const failed = sealed.length - refused;

		assert.ok(refused > 0 && failed > 0);
		assert.equal(ends, `failed|${unreadable}|${failed}`);
		assert.equal(mock.take().length, 0);
		console.log(`# counted: ${refused} changed bytes refused, ` +
			`${failed} unreadable, 0 sent`);
	});

await test('the key itself still opens after that', async (assert) => {
	assert.equal(await outcome('alice', configuration), 'succeeded');
});

// The files below a folder of the cluster in which a text stands.
const filesWith = (text, folder) => spawnSync('grep',
	['-rlF', '--binary-files=text', '-e', text,
		`${process.env.CLUSTER}/${folder}`],
	{ encoding: 'utf8' }).stdout.trimEnd().split('\n').filter(Boolean);

// As it is, and in the forms in which it might hide.
const forms = [key, ...['base64', 'base64url', 'hex'].map((encoding) =>
	Buffer.from(key).toString(encoding))];

ok(filesWith(sealed, 'log').length === 0 && !activity.includes(sealed) &&
	activity.includes('<withheld>'),
	'the log and pg_stat_activity do not even show what was sealed');
ok(!forms.some((form) => activity.includes(form)),
	'pg_stat_activity did not show the key');
for (const folder of ['log', 'data', 'spool']) {
	const found = forms.flatMap((form) => filesWith(form, folder));

	ok(found.length === 0, `${folder} of the cluster does not have the key`,
		found.join('\n'));
}
ok(browser.asked.join() === '/', 'the page has asked its server for nothing',
	browser.asked.join());

user.end();
await browser.close();
done();
