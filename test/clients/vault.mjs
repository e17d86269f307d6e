// vault.mjs
//	Master keys in OpenBao, and everything that goes wrong on the way to it.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

import {
	Courier, Proxy, Stranger, answers, breaksOff, drips, makesThemWait, only,
	redirects, resets, says, silent, times,
} from './keyservice.mjs';
import { done, ok, test } from './tap.mjs';

const { BAO, BAO_ADDR, BAO_TOKEN, PROGRAM, SCRATCH } = process.env;

function bao(...words) {
	return execFileSync(BAO, words, { encoding: 'utf8', stdio: 'pipe' });
}

async function ask(method, path, body, namespace) {
	const reply = await fetch(`${BAO_ADDR}/v1/${path}`, {
		method, body: body && JSON.stringify(body),
		headers: {
			'X-Vault-Token': BAO_TOKEN,
			...(namespace && { 'X-Vault-Namespace': namespace }),
		},
	});
	const text = await reply.text();
	if (!reply.ok) {
		throw new Error(`${method} ${path}: ${reply.status} ${text}`);
	}
	return text === '' ? {} : JSON.parse(text);
}

function write(name, text) {
	fs.writeFileSync(`${SCRATCH}/${name}`, text, { mode: 0o600 });
}

const proxy = new Proxy(new URL(BAO_ADDR).port);
const stranger = new Stranger();
const courier = new Courier(PROGRAM);
await proxy.start();
await stranger.start();

// Every token and secret id that went past, and where it was meant to go.
const secrets = new Set([fs.readFileSync(`${SCRATCH}/secret-id`, 'utf8').trim()]);
let tokens = 0;
let unwrapped = 0;
let tooMuch = 0;
proxy.watch = (request, body) => {
	const token = request.headers['x-vault-token'];
	if (token) {
		secrets.add(token);
		tokens++;
	}
	if (request.url.includes('/decrypt/')) {
		unwrapped++;
		const json = JSON.parse(body);
		if (Object.keys(json).join() !== 'ciphertext' ||
			!/^vault:v[0-9]+:[A-Za-z0-9+/]{683}=$/.test(json.ciphertext)) {
			tooMuch++;
		}
	}
};

const usual = {
	database: 'test', data_directory: '/var', call_timeout_ms: 60000,
	key_service: 'vault', vault_address: proxy.address, vault_mount: 'transit',
	vault_key: 'bambi', vault_namespace: '', vault_token_file: '',
	vault_approle_mount: 'approle', vault_role_id_file: `${SCRATCH}/role-id`,
	vault_secret_id_file: `${SCRATCH}/secret-id`,
	key_service_networks: '127.0.0.1/32', ca_file: `${SCRATCH}/ca.crt`,
};

function set(settings = {}) {
	return courier.settings({ ...usual, ...settings });
}

write('reader.hcl', 'path "transit/keys/bambi" { capabilities = ["read"] } ' +
	'path "transit/decrypt/bambi" { capabilities = ["update"] }');

function isDecrypt(request) {
	return request.url.includes('/decrypt/');
}

function isLogin(request) {
	return request.url.endsWith('/login');
}

// ---- what works

await test('it is opened with an AppRole, over TLS', async (t) => {
	const key = await set();
	t.equal(key.kid, 'vault:transit/bambi:1');
	t.match(key.public_key, /^-----BEGIN PUBLIC KEY-----/);
});
await test('what is sealed to its key opens', async (t) => {
	const tally = await courier.command('generate 50');
	t.equal(tally.succeeded, 50);
	t.equal(unwrapped, 50);
});
await test('what was changed does not, and is not waited for', async (t) => {
	const tally = await courier.command('tamper');
	t.equal(tally.failed, 1);
	t.equal(tally.code, 'key_unreadable');
});
await test('a new version is sealed to, and the old one opens', async (t) => {
	bao('write', '-f', 'transit/keys/bambi/rotate');
	t.equal((await set()).kid, 'vault:transit/bambi:2');
	t.equal((await courier.command('generate 3 1')).succeeded, 3);
	t.equal((await courier.command('generate 3 0')).succeeded, 3);
});
await test('a version that is not served any more does not open', async (t) => {
	bao('write', 'transit/keys/bambi/config', 'min_decryption_version=2');
	const tally = await courier.command('generate 1 0');
	t.equal(tally.failed, 1);
	t.equal(tally.code, 'key_unreadable');
	bao('write', 'transit/keys/bambi/config', 'min_decryption_version=1');
});
await test('the courier makes a version, and seals anew to it', async (t) => {
	t.equal((await courier.command('rotate')).kid, 'vault:transit/bambi:3');
	const before = unwrapped;
	const tally = await courier.command('reseal 20 0');
	t.equal(tally.succeeded, 20);
	t.equal(tally.sent, 20);
	// each once to be sealed anew and once to be used, and the first to prove
	t.equal(unwrapped - before, 41);
});
await test('then the older versions may go', async (t) => {
	bao('write', 'transit/keys/bambi/config', 'min_decryption_version=3');
	t.equal((await courier.command('generate 3')).succeeded, 3);
	const tally = await courier.command('reseal 1 0');
	t.equal(tally.sent, 0);
	t.equal(tally.error, 'the stored key could not be opened');
	bao('write', 'transit/keys/bambi/config', 'min_decryption_version=1');
});
await test('whoever may not make a version is told', async (t) => {
	bao('policy', 'write', 'bambi', `${SCRATCH}/reader.hcl`);
	t.equal((await courier.command('rotate')).error,
		'Vault answered 403: permission denied');
	t.equal((await courier.command('generate 1')).succeeded, 1);
});
await test('a token from a file will do, and is renewed', async (t) => {
	const given = await ask('POST', 'auth/token/create',
		{ policies: ['bambi'], ttl: '1h' });
	write('token', `${given.auth.client_token}\n`);
	let renewals = 0;
	proxy.fault = (request) => {
		renewals += request.url.endsWith('/renew-self');
		return false;
	};
	t.equal((await set({ vault_token_file: `${SCRATCH}/token` })).kid,
		'vault:transit/bambi:3');
	t.equal((await courier.command('generate 3')).succeeded, 3);
	t.ok(renewals >= 1);
});
await test('a namespace of its own will do, with another mount', async (t) => {
	await ask('POST', 'sys/namespaces/team');
	await ask('POST', 'sys/mounts/deep/keys', { type: 'transit' }, 'team');
	await ask('POST', 'deep/keys/keys/bambi', { type: 'rsa-3072' }, 'team');
	await ask('POST', 'sys/policies/acl/bambi',
		{ policy: 'path "deep/keys/*" { capabilities = ["read", "update"] }' },
		'team');
	const given = await ask('POST', 'auth/token/create',
		{ policies: ['bambi'], ttl: '1h' }, 'team');
	write('team', given.auth.client_token);
	const settings = {
		vault_token_file: `${SCRATCH}/team`, vault_namespace: 'team',
		vault_mount: 'deep/keys',
	};
	const watch = proxy.watch;
	proxy.watch = () => {};
	t.equal((await set(settings)).kid, 'vault:deep/keys/bambi:1');
	t.equal((await courier.command('generate 3')).succeeded, 3);
	proxy.watch = watch;
});
await test('a token ends, and is followed by another before that', async (t) => {
	bao('write', 'auth/approle/role/bambi', 'token_policies=bambi',
		'token_ttl=18s', 'token_max_ttl=20s');
	let logins = 0;
	let refused = 0;
	proxy.fault = (request, response) => {
		logins += isLogin(request);
		response.on('finish', () => { refused += response.statusCode === 403; });
		return false;
	};
	await set();
	while (logins < 2) {
		t.equal((await courier.command('generate 1')).succeeded, 1);
		await new Promise((resolve) => setTimeout(resolve, 250));
	}
	t.equal(refused, 0);
	bao('write', 'auth/approle/role/bambi', 'token_policies=bambi',
		'token_ttl=1h', 'token_max_ttl=24h');
	proxy.fault = null;
});
await test('a token that is revoked is followed by another', async (t) => {
	await set();
	await ask('POST', 'sys/leases/revoke-force/auth/approle');
	// the opening is a second old before there is another
	await courier.command('generate 3');
	const tally = await courier.command('again 15000');
	t.equal(tally.waiting + tally.failed, 0);
});
await test('what passes at once is not noticed', async (t) => {
	await set();
	proxy.fault = times(1, only(isDecrypt, says(502, {})));
	t.equal((await courier.command('generate 1')).succeeded, 1);
	proxy.fault = times(1, only(isDecrypt, resets()));
	t.equal((await courier.command('generate 1')).succeeded, 1);
	proxy.fault = times(1, only(isDecrypt,
		answers(429, { 'retry-after': '1' }, '')));
	t.equal((await courier.command('generate 1')).succeeded, 1);
	proxy.fault = null;
});

// ---- what goes wrong

async function goesWrong(name, words, fault) {
	await makesThemWait(courier, name, words,
		() => { proxy.fault = fault; }, () => { proxy.fault = null; });
}

await set();
await makesThemWait(courier, 'connection refused', 'could not be reached',
	() => proxy.stop(), () => proxy.start());
await makesThemWait(courier, 'no handshake', 'could not be reached in time',
	() => { proxy.isMute = true; proxy.disconnect(); },
	() => { proxy.isMute = false; proxy.disconnect(); });
await makesThemWait(courier, 'a certificate that nobody signed', 'certificate',
	() => proxy.show('stranger'), () => proxy.show('good'));
await makesThemWait(courier, 'a certificate for another host', 'certificate',
	() => proxy.show('other'), () => proxy.show('good'));
await makesThemWait(courier, 'sealed', '503: Vault is sealed',
	() => bao('operator', 'seal'),
	() => bao('operator', 'unseal',
		/^Unseal Key: (.*)$/m.exec(fs.readFileSync(`${SCRATCH}/bao.log`))[1]));
await makesThemWait(courier, 'not allowed to unwrap',
	'403: permission denied',
	() => ask('POST', 'sys/policies/acl/bambi',
		{ policy: 'path "transit/keys/bambi" { capabilities = ["read"] }' }),
	() => ask('POST', 'sys/policies/acl/bambi', {
		policy: 'path "transit/keys/bambi" { capabilities = ["read"] } ' +
			'path "transit/decrypt/bambi" { capabilities = ["update"] }',
	}));
await makesThemWait(courier, 'another secret id, and no token',
	'the AppRole login at Vault answered 400',
	async () => {
		fs.copyFileSync(`${SCRATCH}/secret-id`, `${SCRATCH}/secret-id.kept`);
		write('secret-id', 'another');
		await set();
	},
	async () => {
		fs.copyFileSync(`${SCRATCH}/secret-id.kept`, `${SCRATCH}/secret-id`);
		await set();
	});
await makesThemWait(courier, 'a key that is not there', 'does not exist',
	async () => {
		await ask('POST', 'sys/policies/acl/bambi', {
			policy: 'path "transit/*" { capabilities = ["read", "update"] }',
		});
		await set({ vault_key: 'nobody' });
	}, () => set());
await makesThemWait(courier, 'a key of another kind', 'rsa-3072 or rsa-4096',
	async () => {
		bao('write', '-f', 'transit/keys/symmetric');
		await set({ vault_key: 'symmetric' });
	}, () => set());
await makesThemWait(courier, 'a mount that is not there', '40',
	() => set({ vault_mount: 'elsewhere' }), () => set());
await makesThemWait(courier, 'a private address that nobody allowed',
	'bambi.key_service_networks', () => set({ key_service_networks: '' }),
	() => set());
await makesThemWait(courier, 'a token that is none', 'permission denied',
	async () => {
		write('token', 's.none');
		await set({ vault_token_file: `${SCRATCH}/token` });
	}, () => set());
await goesWrong('500', '500', says(500, { errors: ['internal error'] }));
await goesWrong('502 in HTML', '502', answers(502, {}, '<html>'));
await goesWrong('429 for an hour', '429',
	answers(429, { 'retry-after': '3600' }, ''));
await goesWrong('silence', 'did not answer in time', only(isDecrypt, silent()));
await goesWrong('an answer without an end', 'did not answer in time',
	only(isDecrypt, drips()));
await goesWrong('reset', 'closed the connection', resets());
await goesWrong('reset inside the answer', 'inside its answer', breaksOff());
await goesWrong('100 kB', 'too large',
	only(isDecrypt, answers(200, {}, ' '.repeat(100 * 1024))));
await goesWrong('200 without a plaintext', 'answered 200',
	only(isDecrypt, says(200, { data: {} })));
await goesWrong('200 in words', 'answered 200',
	only(isDecrypt, answers(200, {}, 'welcome')));
await goesWrong('307 to another host', 'another address',
	redirects(307, stranger.address));
await goesWrong('302 to another host, when unwrapping', 'another address',
	only(isDecrypt, redirects(302, stranger.address)));
await goesWrong('308 to plain http', 'another address',
	redirects(308, stranger.address.replace('https', 'http')));

await test('another master key than it was sealed to does not open', async (t) => {
	proxy.fault = only(isDecrypt, says(200, {
		data: { plaintext: Buffer.alloc(32).toString('base64') },
	}));
	const tally = await courier.command('generate 1');
	t.equal(tally.failed, 1);
	t.equal(tally.code, 'key_unreadable');
	proxy.fault = null;
});

// ---- all together

const total = await courier.end();
ok(total.sent === total.succeeded + total.failed && total.waiting === 0 &&
	total.failed === 3, 'no generation was lost', JSON.stringify(total));
ok(tooMuch === 0, 'nothing was sent to be unwrapped but wrapped data keys');
ok(stranger.connections === 0 && ![...secrets].some(
	(secret) => stranger.heard.includes(secret)) && secrets.size > 3,
`of ${tokens} requests with a token none came to another host`);
console.log(`# counted: generations: ${total.sent} sent, ${total.succeeded} ` +
	`succeeded, ${total.failed} unreadable on purpose, 0 lost`);
console.log(`# counted: requests: ${proxy.requests}, of which ${tokens} with one of ` +
	`${secrets.size - 1} tokens; to another host: ${stranger.connections}`);
done();
