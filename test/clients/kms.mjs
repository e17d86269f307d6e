// kms.mjs
//	Master keys in AWS KMS, and everything that goes wrong on the way to it.

import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';

import {
	Courier, Proxy, Stranger, answers, breaksOff, drips, makesThemWait, only,
	redirects, resets, says, silent, times,
} from './keyservice.mjs';
import { done, ok, test } from './tap.mjs';

const { KMS_PORT, PROGRAM, SCRATCH } = process.env;
const region = 'eu-central-1';

// ---- the service, as an operator sees it

async function kms(action, body) {
	const reply = await fetch(`http://127.0.0.1:${KMS_PORT}/`, {
		method: 'POST', body: JSON.stringify(body),
		headers: {
			'content-type': 'application/x-amz-json-1.1',
			'x-amz-target': `TrentService.${action}`,
		},
	});
	const text = await reply.text();
	if (!reply.ok) {
		throw new Error(`${action}: ${reply.status} ${text}`);
	}
	return text === '' ? {} : JSON.parse(text);
}

async function makeKey(spec, usage = 'ENCRYPT_DECRYPT') {
	const made = await kms('CreateKey', { KeyUsage: usage, KeySpec: spec });
	return made.KeyMetadata.KeyId;
}

// ---- who may do what: accounts by access key, as the proxy knows them

const accounts = new Map();

function account(id, secret, session) {
	accounts.set(id, { secret, session });
	return `[default]\naws_access_key_id = ${id}\n` +
		`aws_secret_access_key = ${secret}\n` +
		(session ? `aws_session_token = ${session}\n` : '');
}

function hmac(key, text) {
	return crypto.createHmac('sha256', key).update(text).digest();
}

function hash(bytes) {
	return crypto.createHash('sha256').update(bytes).digest('hex');
}

// Signature Version 4, as AWS would check it; the code of what is wrong.
function judge(request, body, now) {
	const match = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/kms\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
		.exec(request.headers.authorization ?? '');
	if (!match) {
		return 'IncompleteSignatureException';
	}
	const [, id, day, where, names, signature] = match;
	const known = accounts.get(id);
	const date = request.headers['x-amz-date'] ?? '';
	if (!known) {
		return 'UnrecognizedClientException';
	}
	for (const name of ['host', 'x-amz-date', 'x-amz-target']) {
		if (!names.split(';').includes(name)) {
			return 'InvalidSignatureException';
		}
	}
	const canonical = [
		request.method, request.url, '',
		...names.split(';').map((name) => `${name}:${request.headers[name]}`),
		'', names, hash(body),
	].join('\n');
	const scope = `${day}/${where}/kms/aws4_request`;
	const toSign = ['AWS4-HMAC-SHA256', date, scope, hash(canonical)].join('\n');
	const key = [day, where, 'kms', 'aws4_request'].reduce(hmac,
		`AWS4${known.secret}`);
	const time = Date.parse(date.replace(
		/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
	if (hmac(key, toSign).toString('hex') !== signature || where !== region ||
		!date.startsWith(day)) {
		return 'InvalidSignatureException';
	}
	if (!(Math.abs(now - time) < 5 * 60 * 1000)) {
		return 'InvalidSignatureException: Signature expired';
	}
	if (known.session !== request.headers['x-amz-security-token']) {
		return 'UnrecognizedClientException';
	}
	return known.ended ? 'ExpiredTokenException' : null;
}

const proxy = new Proxy(KMS_PORT);
const stranger = new Stranger();
const courier = new Courier(PROGRAM);
await proxy.start();
await stranger.start();

let skew = 0;
let signed = 0;
let tooMuch = 0;
let fault = null;
let more = null;

proxy.watch = (request, body) => {
	if (isDecrypt(request)) {
		const json = JSON.parse(body);
		if (Object.keys(json).sort().join() !==
				'CiphertextBlob,EncryptionAlgorithm,KeyId' ||
			![384, 512].includes(
				Buffer.from(json.CiphertextBlob, 'base64').length)) {
			tooMuch++;
		}
	}
	more?.(request);
};

proxy.fault = (request, response, body) => {
	const problem = judge(request, body, Date.now() + skew);
	if (problem) {
		const [code, message] = problem.split(': ');
		return says(400, { __type: code, message })(request, response);
	}
	signed++;
	return fault?.(request, response, body);
};

function isDecrypt(request) {
	return request.headers['x-amz-target'] === 'TrentService.Decrypt';
}

function write(name, text) {
	fs.writeFileSync(`${SCRATCH}/${name}`, text, { mode: 0o600 });
}

// ---- the instance metadata service

const session = 'IQoJb3JpZ2luX2VjEBambi/session+token=';
let metadataToken = null;
let hasRole = true;
let withoutToken = 0;
const metadata = http.createServer((request, response) => {
	const roles = '/latest/meta-data/iam/security-credentials/';
	if (request.method === 'PUT' && request.url === '/latest/api/token' &&
		Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']) > 0) {
		metadataToken = crypto.randomUUID();
		response.end(metadataToken);
		return;
	}
	if (request.headers['x-aws-ec2-metadata-token'] !== metadataToken) {
		withoutToken++;
		response.writeHead(401).end();
	} else if (request.url === roles && hasRole) {
		response.end('bambi-role');
	} else if (request.url === `${roles}bambi-role` && hasRole) {
		account('ASIAROLE', 'role/secret+0123456789abcdef', session);
		response.end(JSON.stringify({
			Code: 'Success', Type: 'AWS-HMAC', AccessKeyId: 'ASIAROLE',
			SecretAccessKey: accounts.get('ASIAROLE').secret, Token: session,
			Expiration: new Date(Date.now() + 6 * 3600e3).toISOString(),
		}));
	} else {
		response.writeHead(404).end();
	}
});
const metadataPort = await new Promise((resolve) => {
	metadata.listen(0, '127.0.0.1', () => resolve(metadata.address().port));
});

const good = account('AKIDBAMBITEST', 'bambi/secret+0123456789abcdefghij');
write('credentials', good);

const first = await makeKey('RSA_3072');
const second = await makeKey('RSA_4096');
await kms('CreateAlias', { AliasName: 'alias/bambi', TargetKeyId: first });

const usual = {
	database: 'test', data_directory: '/var', call_timeout_ms: 60000,
	key_service: 'awskms', aws_kms_key: 'alias/bambi', aws_kms_region: region,
	aws_kms_endpoint: proxy.address,
	aws_kms_credentials_file: `${SCRATCH}/credentials`, aws_metadata: '',
	key_service_networks: '127.0.0.1/32', ca_file: `${SCRATCH}/ca.crt`,
};

function set(settings = {}) {
	return courier.settings({ ...usual, ...settings });
}

// ---- what works

await test('it is opened by an alias, over TLS, and names the key', async (t) => {
	const key = await set();
	t.equal(key.kid, `awskms:aws/${region}/111122223333/${first}:1`);
	t.match(key.public_key, /^-----BEGIN PUBLIC KEY-----/);
});
await test('what is sealed to it opens', async (t) => {
	let unwrapped = 0;
	more = (request) => { unwrapped += isDecrypt(request); };
	t.equal((await courier.command('generate 50')).succeeded, 50);
	t.equal(unwrapped, 50);
	more = null;
});
await test('what was changed does not, and is not waited for', async (t) => {
	const tally = await courier.command('tamper');
	t.equal(tally.failed, 1);
	t.equal(tally.code, 'key_unreadable');
});
await test('another key is sealed to, and the one before opens', async (t) => {
	await kms('UpdateAlias', { AliasName: 'alias/bambi', TargetKeyId: second });
	t.equal((await set()).kid,
		`awskms:aws/${region}/111122223333/${second}:1`);
	t.equal((await courier.command('generate 3 1')).succeeded, 3);
	t.equal((await courier.command('generate 3 0')).succeeded, 3);
});
await test('session tokens are sent and signed', async (t) => {
	write('session', account('ASIASESSION', 'a'.repeat(40), session));
	await set({ aws_kms_credentials_file: `${SCRATCH}/session` });
	t.equal((await courier.command('generate 3')).succeeded, 3);
});
await test('a session that has ended is followed by that in the file', async (t) => {
	accounts.get('ASIASESSION').ended = true;
	write('session', account('ASIASESSION2', 'b'.repeat(40), session));
	await courier.command('generate 3');
	const tally = await courier.command('again 15000');
	t.equal(tally.waiting + tally.failed, 0);
});
await test('the role of the machine will do', async (t) => {
	const role = {
		aws_kms_credentials_file: '',
		aws_metadata: `http://127.0.0.1:${metadataPort}`,
	};
	let others = 0;
	more = (request) => {
		others += !request.headers.authorization?.includes('ASIAROLE/');
	};
	t.ok((await set(role)).kid);
	t.equal((await courier.command('generate 3')).succeeded, 3);
	t.equal(others, 0);
	t.equal(withoutToken, 0);
	hasRole = false;
	t.match((await set(role)).error, /this machine has no role/);
	more = null;
});
await test('what passes at once is not noticed', async (t) => {
	await set();
	fault = times(1, only(isDecrypt,
		says(400, { __type: 'ThrottlingException', message: 'Rate exceeded' })));
	t.equal((await courier.command('generate 1')).succeeded, 1);
	fault = times(1, only(isDecrypt,
		says(500, { __type: 'KMSInternalException' })));
	t.equal((await courier.command('generate 1')).succeeded, 1);
	fault = times(1, only(isDecrypt, resets()));
	t.equal((await courier.command('generate 1')).succeeded, 1);
	fault = null;
});

// ---- what goes wrong

async function goesWrong(name, words, what) {
	await makesThemWait(courier, name, words,
		() => { fault = what; }, () => { fault = null; });
}

async function isConfigured(name, words, settings) {
	await makesThemWait(courier, name, words, () => set(settings), () => set());
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
await makesThemWait(courier, 'a clock that is wrong',
	'InvalidSignatureException: Signature expired',
	() => { skew = 20 * 60 * 1000; }, () => { skew = 0; });
await makesThemWait(courier, 'a disabled key', 'DisabledException',
	() => kms('DisableKey', { KeyId: second }),
	() => kms('EnableKey', { KeyId: second }));
await makesThemWait(courier, 'another secret', 'InvalidSignatureException',
	async () => {
		write('credentials', good.replace('secret+', 'wrong+'));
		await set();
	}, async () => {
		write('credentials', good);
		await set();
	});
await makesThemWait(courier, 'an account that is gone',
	'UnrecognizedClientException',
	() => accounts.delete('AKIDBAMBITEST'),
	() => account('AKIDBAMBITEST', 'bambi/secret+0123456789abcdefghij'));
await makesThemWait(courier, 'a session that has ended',
	'ExpiredTokenException',
	() => { accounts.get('AKIDBAMBITEST').ended = true; },
	() => { accounts.get('AKIDBAMBITEST').ended = false; });
await isConfigured('a key that is not there', 'NotFoundException',
	{ aws_kms_key: crypto.randomUUID() });
await isConfigured('a key that signs', 'is not for encryption',
	{ aws_kms_key: await makeKey('RSA_3072', 'SIGN_VERIFY') });
await isConfigured('a key of 2048 bits', 'RSA_3072 or RSA_4096',
	{ aws_kms_key: await makeKey('RSA_2048') });
await isConfigured('another region', 'InvalidSignatureException',
	{ aws_kms_region: 'eu-central-2' });
await isConfigured('a private address that nobody allowed',
	'bambi.key_service_networks', { key_service_networks: '' });
await goesWrong('access denied', 'AccessDeniedException: User: arn:aws:iam',
	only(isDecrypt, says(400, {
		__type: 'AccessDeniedException',
		message: 'User: arn:aws:iam::111122223333:user/x is not authorized ' +
			'to perform: kms:Decrypt on this resource',
	})));
await goesWrong('throttling', 'ThrottlingException',
	says(400, { __type: 'ThrottlingException', message: 'Rate exceeded' }));
await goesWrong('500', 'KMSInternalException',
	says(500, { __type: 'KMSInternalException' }));
await goesWrong('502 in HTML', '502', answers(502, {}, '<html>'));
await goesWrong('silence', 'did not answer in time', only(isDecrypt, silent()));
await goesWrong('an answer without an end', 'did not answer in time',
	only(isDecrypt, drips()));
await goesWrong('reset', 'closed the connection', resets());
await goesWrong('reset inside the answer', 'inside its answer', breaksOff());
await goesWrong('100 kB', 'too large',
	only(isDecrypt, answers(200, {}, ' '.repeat(100 * 1024))));
await goesWrong('200 without a plaintext', 'answered 200',
	only(isDecrypt, says(200, {})));
await goesWrong('307 to another host', 'another address',
	redirects(307, stranger.address));
await goesWrong('302 to another host, when unwrapping', 'another address',
	only(isDecrypt, redirects(302, stranger.address)));

// ---- all together

const total = await courier.end();
ok(total.sent === total.succeeded + total.failed && total.waiting === 0 &&
	total.failed === 1, 'no generation was lost', JSON.stringify(total));
ok(tooMuch === 0, 'nothing was sent to be unwrapped but wrapped data keys');
ok(stranger.connections === 0,
	`of ${proxy.requests} signed requests none came to another host`);
console.log(`# counted: generations: ${total.sent} sent, ${total.succeeded} ` +
	`succeeded, ${total.failed} unreadable on purpose, 0 lost`);
console.log(`# counted: requests: ${proxy.requests}, of which ${signed} signed as ` +
	`they should be; to another host: ${stranger.connections}`);
metadata.close();
done();
