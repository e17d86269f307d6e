// sdk_openai.mjs
//	The official client of OpenAI takes the mock provider for OpenAI.
//
// What the client does is known from recordings against an echo server; that
// it does the same here means that the mock speaks as OpenAI does.

import OpenAI, { toFile } from 'openai';

import { between, kindOf, pauses, pixel, fingerprint, start } from './mock.mjs';
import { done, test } from './tap.mjs';

const model = 'gpt-image-2.6-flare';

// A refusal to come back later, in the words of its headers.
const wait = (id, headers) => ({
	id,
	provider: 'openai',
	api: 'images',
	status: 429,
	headers: { 'x-request-id': 'req_wait', ...headers },
	body: {
		error: {
			message: 'Rate limit reached.',
			type: 'rate_limit_error',
			param: null,
			code: 'rate_limit_exceeded',
		},
	},
	expect: { charged: 'no' },
});

const mock = await start({
	rows: [
		wait('wait-1s', { 'retry-after': '1' }),
		wait('wait-2500ms', { 'retry-after': '1', 'retry-after-ms': '2500' }),
		wait('wait-90s', { 'retry-after': '90' }),
	],
});
const openai = new OpenAI({
	apiKey: 'sk-test0123456789abcdef',
	baseURL: `${mock.origin}/v1`,
});

const bytesOf = (answer, i = 0) =>
	Buffer.from(answer.data[i].b64_json, 'base64');

const generate = (prompt, more = {}, options = {}) =>
	openai.images.generate({ model, prompt, ...more }, options);

const png = (bytes) => toFile(bytes, 'a.png', { type: 'image/png' });

// A picture with an alpha channel, as a mask must have one.
async function drawPng(prompt) {
	const answer = await generate(prompt, { background: 'transparent' });

	mock.take();
	return bytesOf(answer);
}

// How it was thrown.
async function thrown(promise) {
	try {
		await promise;
	} catch (error) {
		return error;
	}
	throw new Error('nothing was thrown');
}

await test('a generation brings pictures, tokens and a request id',
	async (assert) => {
		const answer = await generate('cat', {
			n: 2, size: '1536x1024', quality: 'low', output_format: 'webp',
		});
		const [call] = mock.take();

		assert.equal(answer.data.length, 2);
		assert.equal(kindOf(bytesOf(answer)), 'webp');
		assert.equal(kindOf(bytesOf(answer, 1)), 'webp');
		assert.equal(answer.size, '1536x1024');
		assert.ok(answer.usage.output_tokens > 0);
		assert.equal(answer.usage.total_tokens,
			answer.usage.input_tokens + answer.usage.output_tokens);
		assert.match(answer._request_id, /^req_/);
		assert.equal(call.path, '/v1/images/generations');
	});

await test('models can be listed and looked up', async (assert) => {
	const ids = [];

	for await (const one of openai.models.list()) {
		ids.push(one.id);
	}
	assert.ok(ids.includes(model));
	assert.equal((await openai.models.retrieve(model)).id, model);
	mock.take();
});

await test('500, 500, 200 is three attempts, and they say so',
	async (assert) => {
		await generate('[[mock fault=openai-500-server_error times=2]] cat');
		assert.deepEqual(
			mock.take().map((call) => call.headers['x-stainless-retry-count']),
			['0', '1', '2']);
	});

await test('a 400 is one attempt', async (assert) => {
	await thrown(generate('[[mock fault=openai-400-bad_request]] cat'));
	assert.equal(mock.take().length, 1);
});

await test('retry-after is waited for', async (assert) => {
	await generate('[[mock fault=wait-1s times=1]] cat');
	const [pause] = pauses(mock.take());

	assert.ok(between(pause, 990, 9000), `${pause} ms`);
});

await test('retry-after-ms wins over it', async (assert) => {
	await generate('[[mock fault=wait-2500ms times=1]] cat');
	const [pause] = pauses(mock.take());

	assert.ok(pause >= 2490, `${pause} ms`);
});

await test('a wait of 90 s is not waited for', async (assert) => {
	await generate('[[mock fault=wait-90s times=2]] cat');
	const [first, second] = pauses(mock.take());

	assert.ok(between(first, 350, 9000), `${first} ms`);
	assert.ok(between(second, 700, 9000), `${second} ms`);
});

await test('an idempotency key goes with no call for pictures',
	async (assert) => {
		await generate('cat', {}, { idempotencyKey: 'once' });
		const [call] = mock.take();

		assert.deepEqual(Object.keys(call.headers)
			.filter((name) => name.includes('idempotency')), []);
		assert.ok(!Object.values(call.headers).includes('once'));
	});

await test('one picture goes as "image", its bytes unchanged',
	async (assert) => {
		const answer = await openai.images.edit({
			model, prompt: 'a hat', image: await png(pixel),
		});
		const [call] = mock.take();
		const images = (await call.form).filter((part) => part.bytes);

		assert.equal(kindOf(bytesOf(answer)), 'png');
		assert.equal(call.path, '/v1/images/edits');
		assert.deepEqual(images.map((part) => part.name), ['image']);
		assert.deepEqual(images[0].bytes, pixel);
		assert.deepEqual((await mock.ledger()).at(-1).inputs, [fingerprint(pixel)]);
	});

await test('two go as "image[]", a mask as "mask"', async (assert) => {
	const first = await drawPng('first');
	const mask = await drawPng('mask');

	await openai.images.edit({
		model,
		prompt: 'a hat',
		image: [await png(first), await png(pixel)],
		mask: await png(mask),
	});
	const [call] = mock.take();
	const names = (await call.form).filter((part) => part.bytes)
		.map((part) => part.name);
	const entry = (await mock.ledger()).at(-1);

	assert.deepEqual(names.sort(), ['image[]', 'image[]', 'mask']);
	assert.deepEqual(entry.inputs,
		[fingerprint(first), fingerprint(pixel)]);
	assert.equal(entry.mask, fingerprint(mask));
	assert.equal(entry.charged, true);
});

const errors = [
	['openai-400-moderation_blocked', 'BadRequestError'],
	['openai-401-invalid_api_key', 'AuthenticationError'],
	['openai-403-unsupported_country', 'PermissionDeniedError'],
	['openai-404-model_not_found', 'NotFoundError'],
	['openai-429-should-not-retry', 'RateLimitError'],
];

for (const [fault, name] of errors) {
	await test(`${fault} is thrown as ${name}, after one attempt`,
		async (assert) => {
			const error = await thrown(generate(`[[mock fault=${fault}]] cat`));

			assert.equal(error.constructor.name, name);
			assert.equal(error.status, Number(fault.split('-')[1]));
			assert.equal(error.requestID, 'req_test0001');
			assert.ok(error.code !== undefined && error.type !== undefined);
			assert.equal(mock.take().length, 1);
		});
}

await test('what the mock itself refuses looks the same', async (assert) => {
	const bad = new OpenAI({
		apiKey: 'sk-invalid', baseURL: `${mock.origin}/v1`,
	});
	const key = await thrown(bad.images.generate({ model, prompt: 'cat' }));
	const gone = await thrown(generate('cat', { model: 'gpt-image-0' }));
	const size = await thrown(generate('cat', { size: '1000x1000' }));

	assert.equal(key.constructor.name, 'AuthenticationError');
	assert.equal(key.code, 'invalid_api_key');
	assert.equal(gone.constructor.name, 'NotFoundError');
	assert.equal(gone.code, 'model_not_found');
	assert.equal(size.constructor.name, 'BadRequestError');
	assert.equal(size.param, 'size');
	mock.take();
});

await test('a stream brings previews and then the picture',
	async (assert) => {
		const events = [];

		for await (const event of await generate('cat',
			{ stream: true, partial_images: 2 })) {
			events.push(event);
		}
		assert.deepEqual(events.map((event) => event.type), [
			'image_generation.partial_image',
			'image_generation.partial_image',
			'image_generation.completed']);
		assert.deepEqual(events.slice(0, 2)
			.map((event) => event.partial_image_index), [0, 1]);
		assert.equal(kindOf(Buffer.from(events[2].b64_json, 'base64')), 'png');
		assert.ok(events[2].usage.total_tokens > 0);
		mock.take();
	});

await test('an edit streams too', async (assert) => {
	const types = [];

	for await (const event of await openai.images.edit({
		model, prompt: 'a hat', stream: true, partial_images: 1,
		image: await png(pixel),
	})) {
		types.push(event.type);
	}
	assert.deepEqual(types,
		['image_edit.partial_image', 'image_edit.completed']);
	mock.take();
});

await test('an error ends a stream', async (assert) => {
	const stream = await generate('[[mock stream=error]] cat',
		{ stream: true });
	const error = await thrown((async () => {
		for await (const event of stream) {
			assert.notEqual(event.type, 'image_generation.completed');
		}
	})());

	assert.ok(error instanceof OpenAI.APIError);
	mock.take();
});

done();
