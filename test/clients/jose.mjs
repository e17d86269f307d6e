// jose.mjs
//	Sealed keys, both ways: npm's jose seals and we open, and the reverse.

import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import {
	CompactEncrypt, calculateJwkThumbprint, compactDecrypt, exportJWK,
	importJWK, importPKCS8,
} from 'jose';

import { done, test } from './tap.mjs';

const user = '00000000-0000-7000-8000-000000000001';
const provider = 'openai';

// Of the sizes that keys have, and those where base64url ends differently.
const secrets = [
	'a', 'ab', 'abc', 'sk-0123456789abcdefghij', 'AIza'.padEnd(39, 'x'),
	'sk-proj-'.padEnd(164, 'Ab_-'), 'ключ-鍵-🔑',
	JSON.stringify({ type: 'service_account', private_key: 'x'.repeat(2400) }),
	randomBytes(6144).toString('hex'),
	'z'.repeat(16384),
];

function run(program, args, input = '') {
	return spawnSync(program, args, { input, maxBuffer: 1 << 20 });
}

function ours(file, verb, input) {
	const args = verb === 'jwk' ? [] : [user, provider];
	const { status, stdout, stderr } =
		run(process.env.SEAL, [file, verb, ...args], input);

	if (status > 1 || status === null) {
		throw new Error(`${verb}: ${stderr}`);
	}
	return status === 0 ? stdout : null;
}

// What we open of it, or null.
const open = (file, jwe) => ours(file, 'open', jwe)?.toString() ?? null;

// A key file made by the courier, and one of somebody else.
function makeKeyFiles() {
	const file = (name) => path.join(process.env.SCRATCH, name);
	const { status } = run(process.env.COURIER, ['--make-key', file('3072.pem')]);

	if (status !== 0) {
		throw new Error('the courier makes no key');
	}
	writeFileSync(file('4096.pem'), generateKeyPairSync('rsa', {
		modulusLength: 4096,
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
		publicKeyEncoding: { type: 'spki', format: 'pem' },
	}).privateKey, { mode: 0o600 });
	return [[3072, file('3072.pem')], [4096, file('4096.pem')]];
}

let sealed = 0;
let opened = 0;
let refused = 0;

for (const [bits, file] of makeKeyFiles()) {
	const pem = readFileSync(file, 'utf8');
	const jwk = JSON.parse(ours(file, 'jwk'));
	const publicKey = await importJWK(jwk, 'RSA-OAEP-256');
	const privateKey = await importPKCS8(pem, 'RSA-OAEP-256');
	const header = {
		alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: jwk.kid, sub: user,
		prv: provider,
	};
	const seal = (secret, more = {}, key = publicKey, encryptor = (e) => e) =>
		encryptor(new CompactEncrypt(new TextEncoder().encode(secret))
			.setProtectedHeader({ ...header, ...more })).encrypt(key);

	await test(`${bits} bits: jose imports our JWK, and it is the public key`,
		async (assert) => {
			const expected = await exportJWK(createPublicKey(pem));

			assert.equal(publicKey.algorithm.modulusLength, bits);
			assert.equal(publicKey.type, 'public');
			assert.equal(await calculateJwkThumbprint(jwk),
				await calculateJwkThumbprint(expected));
		});

	await test(`${bits} bits: ${secrets.length} keys that jose seals open here`,
		async (assert) => {
			for (const secret of secrets) {
				assert.equal(open(file, await seal(secret)), secret);
				opened++;
			}
		});

	await test(`${bits} bits: ${secrets.length} keys sealed here open in jose`,
		async (assert) => {
			for (const secret of secrets) {
				const { plaintext, protectedHeader } = await compactDecrypt(
					ours(file, 'seal', secret).toString().trim(), privateKey, {
						keyManagementAlgorithms: ['RSA-OAEP-256'],
						contentEncryptionAlgorithms: ['A256GCM'],
					});

				assert.equal(new TextDecoder().decode(plaintext), secret);
				assert.deepEqual(protectedHeader, header);
				sealed++;
			}
		});

	// What jose can do, and we do not take.
	const sha1 = await importJWK({ ...jwk, alg: 'RSA-OAEP' }, 'RSA-OAEP');
	const stranger = await importJWK(await exportJWK(
		generateKeyPairSync('rsa', { modulusLength: bits }).publicKey),
	'RSA-OAEP-256');
	const others = {
		'RSA-OAEP with SHA-1': () => seal('abc', { alg: 'RSA-OAEP' }, sha1),
		'A128GCM': () => seal('abc', { enc: 'A128GCM' }),
		'A256CBC-HS512': () => seal('abc', { enc: 'A256CBC-HS512' }),
		'compression': () => seal('abc', { zip: 'DEF' }),
		'a critical extension': () => seal('abc', { crit: ['exp'], exp: 1 },
			publicKey, (e) => ({
				encrypt: (key) => e.encrypt(key, { crit: { exp: true } }),
			})),
		'one more member': () => seal('abc', { typ: 'JWE' }),
		'no user': () => seal('abc', { sub: undefined }),
		'another user': () => seal('abc', { sub: user.replace(/1$/, '2') }),
		'another provider': () => seal('abc', { prv: 'xai' }),
		'another name of the key': () => seal('abc', { kid: 'file:x:y' }),
		'another key of that name': () => seal('abc', {}, stranger),
	};

	for (const [what, make] of Object.entries(others)) {
		await test(`${bits} bits: ${what} is not opened`, async (assert) => {
			assert.equal(open(file, await make()), null);
			refused++;
		});
	}
}
console.log(`# counted: ${opened} keys of jose opened here, ` +
	`${sealed} of ours in jose, ${refused} of other forms refused`);

done();
