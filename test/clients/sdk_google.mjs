// sdk_google.mjs
//	The official client of Google takes the mock provider for the Gemini API
//	and for Vertex AI.

import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { createGoogle } from '@ai-sdk/google';
import { createGoogleVertex } from '@ai-sdk/google-vertex';
import {
	ApiError, GoogleGenAI, MaskReferenceImage, RawReferenceImage,
} from '@google/genai';
import { generateImage } from 'ai';

import { between, fingerprint, kindOf, pauses, pixel, start } from './mock.mjs';
import { done, test } from './tap.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const model = 'gemini-nano-banana-2.1';

const refusal = (id, status, word, message, details = []) => ({
	id,
	provider: 'google',
	api: 'generateContent',
	status,
	headers: { 'content-type': 'application/json' },
	body: { error: { code: status, status: word, message, details } },
	expect: { charged: 'no' },
});

const mock = await start({
	args: ['--legacy'],
	rows: [
		refusal('wait-34s', 429, 'RESOURCE_EXHAUSTED', 'Slow down.', [{
			'@type': 'type.googleapis.com/google.rpc.RetryInfo',
			retryDelay: '34s',
		}]),
		refusal('unavailable', 503, 'UNAVAILABLE', 'Overloaded.'),
	],
});

const gemini = new GoogleGenAI({
	apiKey: 'AIzaTest0123456789abcdef',
	httpOptions: { baseUrl: mock.origin, apiVersion: 'v1' },
});
const express = new GoogleGenAI({
	vertexai: true,
	apiKey: 'AQ.Test0123456789abcdef',
	httpOptions: { baseUrl: mock.origin },
});

// A service account whose public key the mock knows, or another one.
async function serviceAccount(email, { isKnown = true } = {}) {
	const pair = generateKeyPairSync('rsa', {
		modulusLength: 2048,
		publicKeyEncoding: { type: 'spki', format: 'pem' },
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
	});
	const other = generateKeyPairSync('rsa', {
		modulusLength: 2048,
		publicKeyEncoding: { type: 'spki', format: 'pem' },
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
	});
	const keyFile = path.join(process.env.SCRATCH, `${email}.json`);

	await fetch(`${mock.origin}/_mock/service-account`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({
			client_email: email,
			public_key: isKnown ? pair.publicKey : other.publicKey,
			project_id: 'p1',
		}),
	});
	mock.take();
	writeFileSync(keyFile, JSON.stringify({
		type: 'service_account',
		project_id: 'p1',
		private_key_id: 'k1',
		private_key: pair.privateKey,
		client_email: email,
		token_uri: 'https://oauth2.googleapis.com/token',
	}));
	return new GoogleGenAI({
		vertexai: true,
		project: 'p1',
		location: 'us-central1',
		httpOptions: { baseUrl: mock.origin, apiVersion: 'v1' },
		googleAuthOptions: {
			keyFile,
			// the client knows but one address for tokens
			clientOptions: {
				transporterOptions: {
					fetchImplementation: (url, init) => fetch(String(url)
						.replace('https://oauth2.googleapis.com', mock.origin),
					init),
				},
			},
		},
	});
}

const ask = (client, prompt, config = {}) => client.models.generateContent({
	model,
	contents: prompt,
	config: { responseModalities: ['IMAGE'], ...config },
});

const picturesOf = (answer) => answer.candidates[0].content.parts
	.filter((part) => part.inlineData !== undefined && !part.thought)
	.map((part) => Buffer.from(part.inlineData.data, 'base64'));

async function thrown(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	throw new Error('nothing was thrown');
}

// ---- the Gemini API

await test('gemini: a generation brings a picture and tokens',
	async (assert) => {
		const answer = await ask(gemini, 'cat',
			{ imageConfig: { aspectRatio: '16:9', imageSize: '2K' } });
		const [call] = mock.take();

		assert.equal(call.path, `/v1/models/${model}:generateContent`);
		assert.equal(call.headers['x-goog-api-key'], 'AIzaTest0123456789abcdef');
		assert.deepEqual(call.json, {
			contents: [{ parts: [{ text: 'cat' }], role: 'user' }],
			generationConfig: {
				responseModalities: ['IMAGE'],
				imageConfig: { aspectRatio: '16:9', imageSize: '2K' },
			},
		});
		assert.equal(kindOf(picturesOf(answer)[0]), 'jpeg');
		assert.ok(answer.usageMetadata.candidatesTokenCount > 0);
		assert.ok(answer.responseId.length > 0);
		assert.equal(answer.candidates[0].finishReason, 'STOP');
	});

await test('gemini: pictures to edit arrive unchanged', async (assert) => {
	const answer = await ask(gemini, [
		{ text: 'a hat' },
		{
			inlineData: {
				mimeType: 'image/png', data: pixel.toString('base64'),
			},
		},
	]);

	assert.equal(kindOf(picturesOf(answer)[0]), 'jpeg');
	assert.deepEqual((await mock.ledger()).at(-1).inputs,
		[fingerprint(pixel)]);
	mock.take();
});

await test('gemini: an interim picture is marked as a thought',
	async (assert) => {
		const answer = await ask(gemini, '[[mock thought]] cat');

		assert.ok(answer.candidates[0].content.parts
			.some((part) => part.thought && part.inlineData !== undefined));
		assert.equal(picturesOf(answer).length, 1);
		mock.take();
	});

await test('gemini: models can be listed', async (assert) => {
	const names = [];

	for await (const one of await gemini.models.list()) {
		names.push(one.name);
	}
	assert.ok(names.includes(`models/${model}`), names);
	mock.take();
});

await test('gemini: a 429 is thrown at once', async (assert) => {
	const error = await thrown(ask(gemini, '[[mock fault=wait-34s]] cat'));

	assert.ok(error instanceof ApiError);
	assert.equal(error.status, 429);
	assert.match(error.message, /RESOURCE_EXHAUSTED/);
	assert.equal(mock.take().length, 1);
});

await test('gemini: or repeated, without heed to RetryInfo', async (assert) => {
	const patient = new GoogleGenAI({
		apiKey: 'AIzaTest0123456789abcdef',
		httpOptions: {
			baseUrl: mock.origin, apiVersion: 'v1', retryOptions: {},
		},
	});

	await ask(patient, '[[mock fault=wait-34s times=2]] cat');
	const [first, second] = pauses(mock.take());

	assert.ok(between(first, 900, 20000), `${first} ms`);
	assert.ok(between(second, 1800, 20000), `${second} ms`);
});

await test('gemini: five attempts are the most', async (assert) => {
	const hasty = new GoogleGenAI({
		apiKey: 'AIzaTest0123456789abcdef',
		httpOptions: {
			baseUrl: mock.origin,
			apiVersion: 'v1',
			retryOptions: { initialDelay: 0.01, maxDelay: 0.01 },
		},
	});
	const error = await thrown(ask(hasty, '[[mock fault=unavailable]] cat'));

	assert.equal(error.status, 503);
	assert.equal(mock.take().length, 5);
});

await test('gemini: a blocked prompt is an answer without candidates',
	async (assert) => {
		const answer = await ask(gemini, '[[mock block=PROHIBITED_CONTENT]] x');

		assert.equal(answer.candidates, undefined);
		assert.equal(answer.promptFeedback.blockReason, 'PROHIBITED_CONTENT');
		mock.take();
	});

await test('gemini: a blocked picture is an end without one',
	async (assert) => {
		const answer = await ask(gemini, '[[mock finish=IMAGE_SAFETY]] x');

		assert.equal(answer.candidates[0].finishReason, 'IMAGE_SAFETY');
		assert.equal(answer.data, undefined);
		mock.take();
	});

await test('gemini: a wrong key is a 400, none at all a 403',
	async (assert) => {
		const wrong = new GoogleGenAI({
			apiKey: 'AIza-invalid',
			httpOptions: { baseUrl: mock.origin, apiVersion: 'v1' },
		});
		const error = await thrown(ask(wrong, 'cat'));
		const { status } = await fetch(
			`${mock.origin}/v1/models/${model}:generateContent`,
			{ method: 'POST', body: '{}' });

		assert.equal(error.status, 400);
		assert.match(error.message, /API_KEY_INVALID/);
		assert.equal(status, 403);
		mock.take();
	});

// ---- Vertex AI

await test('express: a generation brings a picture of the wanted format',
	async (assert) => {
		const answer = await ask(express, 'cat', {
			imageConfig: {
				personGeneration: 'ALLOW_ADULT', outputMimeType: 'image/png',
			},
		});
		const [call] = mock.take();

		assert.equal(call.path,
			`/v1beta1/publishers/google/models/${model}:generateContent`);
		assert.equal(call.headers['x-goog-api-key'], 'AQ.Test0123456789abcdef');
		assert.equal(call.headers.authorization, undefined);
		assert.equal(kindOf(picturesOf(answer)[0]), 'png');
	});

await test('express: tokens are counted', async (assert) => {
	const { totalTokens } = await express.models.countTokens(
		{ model, contents: 'a cat in the snow' });

	assert.ok(totalTokens > 0);
	mock.take();
});

await test('express: Imagen is not to be had with an API key',
	async (assert) => {
		const error = await thrown(express.models.generateImages(
			{ model: 'imagen-4.0-generate-001', prompt: 'cat' }));

		assert.ok(error instanceof ApiError);
		mock.take();
	});

const account = await serviceAccount('ada@p1.iam.gserviceaccount.com');

await test('a service account signs for its token, once for two calls',
	async (assert) => {
		const place = '/v1/projects/p1/locations/us-central1/publishers/google';

		await ask(account, 'cat');
		await ask(account, 'dog');
		const calls = mock.take();
		const claims = JSON.parse(Buffer.from(
			new URLSearchParams(calls[0].body.toString()).get('assertion')
				.split('.')[1], 'base64url'));

		assert.deepEqual(calls.map((call) => call.path), [
			'/token',
			`${place}/models/${model}:generateContent`,
			`${place}/models/${model}:generateContent`]);
		assert.equal(claims.iss, 'ada@p1.iam.gserviceaccount.com');
		assert.equal(claims.aud, 'https://oauth2.googleapis.com/token');
		assert.ok(claims.exp - claims.iat <= 3600);
		assert.match(calls[1].headers.authorization, /^Bearer /);
		assert.equal(calls[1].headers.authorization,
			calls[2].headers.authorization);
	});

await test('one whose signature is another\'s gets none', async (assert) => {
	const stranger = await serviceAccount('eve@p1.iam.gserviceaccount.com',
		{ isKnown: false });
	const error = await thrown(ask(stranger, 'cat'));

	assert.match(String(error), /invalid_grant|Invalid JWT Signature/);
	assert.deepEqual(mock.take().map((call) => call.path), ['/token']);
});

await test('Imagen draws as many pictures as it is asked for',
	async (assert) => {
		const { generatedImages } = await account.models.generateImages({
			model: 'imagen-4.0-generate-001',
			prompt: 'cat',
			config: {
				numberOfImages: 2, aspectRatio: '1:1', negativePrompt: 'dog',
				outputMimeType: 'image/jpeg', includeRaiReason: true,
			},
		});
		const [call] = mock.take();

		assert.match(call.path, /imagen-4\.0-generate-001:predict$/);
		assert.deepEqual(call.json.instances, [{ prompt: 'cat' }]);
		assert.equal(call.json.parameters.sampleCount, 2);
		assert.equal(generatedImages.length, 2);
		assert.equal(
			kindOf(Buffer.from(generatedImages[1].image.imageBytes, 'base64')),
			'jpeg');
	});

await test('Imagen edits and enlarges', async (assert) => {
	const image = {
		imageBytes: pixel.toString('base64'), mimeType: 'image/png',
	};
	const raw = new RawReferenceImage();
	const mask = new MaskReferenceImage();

	raw.referenceId = 1;
	raw.referenceImage = image;
	mask.referenceId = 2;
	mask.referenceImage = image;
	mask.config = { maskMode: 'MASK_MODE_USER_PROVIDED', maskDilation: 0.01 };
	const edited = await account.models.editImage({
		model: 'imagen-3.0-capability-001',
		prompt: 'a hat',
		referenceImages: [raw, mask],
		config: { editMode: 'EDIT_MODE_INPAINT_INSERTION', numberOfImages: 1 },
	});
	const larger = await account.models.upscaleImage({
		model: 'imagen-4.0-upscale-preview',
		image,
		upscaleFactor: 'x2',
	});
	const [edit, upscale] = mock.take();

	assert.deepEqual(edit.json.instances[0].referenceImages
		.map((one) => one.referenceType),
	['REFERENCE_TYPE_RAW', 'REFERENCE_TYPE_MASK']);
	assert.equal(upscale.json.parameters.mode, 'upscale');
	assert.equal(edited.generatedImages.length, 1);
	assert.equal(larger.generatedImages.length, 1);
});

// ---- the AI SDK

await test('the AI SDK takes it for the Gemini API and for Vertex',
	async (assert) => {
		const google = createGoogle({
			apiKey: 'AIzaTest0123456789abcdef', baseURL: `${mock.origin}/v1beta`,
		});
		const vertex = createGoogleVertex({
			apiKey: 'AQ.Test0123456789abcdef',
			baseURL: `${mock.origin}/v1/publishers/google`,
		});

		for (const [provider, kind] of [[google, 'jpeg'], [vertex, 'png']]) {
			const { image } = await generateImage({
				model: provider.image(model), prompt: 'cat', aspectRatio: '1:1',
			});

			assert.equal(kindOf(image.uint8Array), kind);
		}
		assert.deepEqual(mock.take().map((call) => call.path), [
			`/v1beta/models/${model}:generateContent`,
			`/v1/publishers/google/models/${model}:generateContent`]);
	});

await test('the AI SDK asks Vertex for no other models than Gemini\'s',
	async (assert) => {
		const vertex = createGoogleVertex({
			apiKey: 'AQ.Test0123456789abcdef',
			baseURL: `${mock.origin}/v1/publishers/google`,
		});
		const error = await thrown((async () => generateImage({
			model: vertex.image('imagen-4.0-generate-001'), prompt: 'cat',
		}))());

		assert.match(error.message, /starts with `gemini-`/);
		assert.deepEqual(mock.take(), []);
	});

done();
