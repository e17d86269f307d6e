// sdk_ai.mjs
//	The AI SDK takes the mock provider for xAI and for OpenAI.

import { createOpenAI } from '@ai-sdk/openai';
import { createXai } from '@ai-sdk/xai';
import { generateImage } from 'ai';

import { between, fingerprint, kindOf, pauses, pixel, start } from './mock.mjs';
import { done, test } from './tap.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const answer = (id, status, headers, body) => ({
	id,
	provider: 'xai',
	api: 'images',
	status,
	headers,
	body,
	expect: { charged: 'no' },
});

const mock = await start({
	rows: [
		answer('wait-4s', 429, { 'retry-after-ms': '4000' },
			{ error: 'Too many requests.' }),
		answer('elsewhere', 200, {},
			{ data: [{ url: 'http://127.0.0.1:9/cat.jpeg' }] }),
	],
});
const xai = createXai({
	apiKey: 'xai-test0123456789abcdef',
	baseURL: `${mock.origin}/xai/v1`,
});
const openai = createOpenAI({
	apiKey: 'sk-test0123456789abcdef',
	baseURL: `${mock.origin}/v1`,
});

const generate = (prompt, more = {}) => generateImage({
	model: xai.image('grok-imagine-image-2.0'), prompt, ...more,
});

// How it was thrown; what was tried several times is told by its last error.
async function thrown(promise) {
	try {
		await promise;
	} catch (error) {
		return error.lastError ?? error;
	}
	throw new Error('nothing was thrown');
}

// ---- xAI

await test('xai: a generation is asked for as recorded, and brings pictures',
	async (assert) => {
		const { images } = await generate('cat', {
			n: 2,
			aspectRatio: '16:9',
			providerOptions: { xai: { resolution: '2k', quality: 'low' } },
		});
		const [call] = mock.take();

		assert.equal(call.path, '/xai/v1/images/generations');
		assert.deepEqual(call.json, {
			model: 'grok-imagine-image-2.0',
			prompt: 'cat',
			n: 2,
			response_format: 'b64_json',
			aspect_ratio: '16:9',
			resolution: '2k',
			quality: 'low',
		});
		assert.equal(images.length, 2);
		assert.equal(kindOf(images[1].uint8Array), 'jpeg');
	});

// generateImage keeps the cost to itself
await test('xai: what it cost is read from the answer', async (assert) => {
	const { providerMetadata } = await xai.image('grok-imagine-image-2.0')
		.doGenerate({
			prompt: 'cat',
			n: 2,
			providerOptions: { xai: { resolution: '2k', quality: 'low' } },
		});

	// two pictures at six cents
	assert.equal(providerMetadata.xai.costInUsdTicks, 1200000000);
	mock.take();
});

await test('xai: more than three pictures are several calls',
	async (assert) => {
		const { images } = await generate('cat', { n: 5 });

		assert.equal(images.length, 5);
		assert.deepEqual(mock.take().map((call) => call.json.n).sort(), [2, 3]);
	});

await test('xai: one picture to edit goes as "image", two as "images"',
	async (assert) => {
		const url = `data:image/png;base64,${pixel.toString('base64')}`;
		const model = xai.image('grok-imagine-image');

		await generateImage({ model, prompt: { text: 'hat', images: [pixel] } });
		await generateImage({
			model, prompt: { text: 'hat', images: [pixel, pixel] },
		});
		const [one, two] = mock.take();

		assert.equal(one.path, '/xai/v1/images/edits');
		assert.deepEqual(one.json.image, { url, type: 'image_url' });
		assert.equal(one.json.images, undefined);
		assert.equal(two.json.image, undefined);
		assert.equal(two.json.images.length, 2);
		assert.deepEqual((await mock.ledger()).at(-1).inputs,
			[fingerprint(pixel), fingerprint(pixel)]);
	});

await test('xai: 429, 429, 200 waits two seconds and then four',
	async (assert) => {
		await generate('[[mock fault=xai-429-rate times=2]] cat');
		const [first, second] = pauses(mock.take());

		assert.ok(between(first, 1900, 9000), `${first} ms`);
		assert.ok(between(second, 3900, 18000), `${second} ms`);
	});

await test('xai: or as long as it is told to', async (assert) => {
	await generate('[[mock fault=wait-4s times=1]] cat');
	const [pause] = pauses(mock.take());

	assert.ok(pause >= 3990, `${pause} ms`);
});

await test('xai: a picture at the same origin is fetched, without the key',
	async (assert) => {
		const { image } = await generate('[[mock answer=url]] cat');
		const [, fetched] = mock.take();

		assert.equal(kindOf(image.uint8Array), 'jpeg');
		assert.match(fetched.path, /^\/_mock\/pictures\//);
		assert.equal(fetched.headers.authorization, undefined);
	});

await test('xai: one elsewhere on loopback is refused', async (assert) => {
	const error = await thrown(generate('[[mock fault=elsewhere]] cat',
		{ maxRetries: 0 }));

	assert.equal(error.name, 'AI_DownloadError');
	mock.take();
});

await test('xai: what moderation keeps back is an error', async (assert) => {
	const flagged = await thrown(generate('[[mock block=flag]] cat',
		{ maxRetries: 0 }));
	const billed = await thrown(generate('[[mock block=output]] cat',
		{ maxRetries: 0 }));

	assert.match(flagged.message, /blocked due to a content policy/);
	assert.equal(billed.statusCode, 400);
	assert.match(billed.message, /rejected by content moderation/);
	assert.equal((await mock.ledger()).at(-1).charged, true);
	mock.take();
});

await test('xai: a wrong key is a 400 of one attempt', async (assert) => {
	const wrong = createXai({
		apiKey: 'xai-invalid', baseURL: `${mock.origin}/xai/v1`,
	});
	const error = await thrown(generateImage({
		model: wrong.image('grok-imagine-image'), prompt: 'cat',
	}));

	assert.equal(error.statusCode, 400);
	assert.match(error.message, /Incorrect API key/);
	assert.equal(mock.take().length, 1);
});

// ---- OpenAI

await test('openai: GPT image models are not asked for a response format',
	async (assert) => {
		const { images } = await generateImage({
			model: openai.image('gpt-image-2'), prompt: 'cat', n: 2,
			size: '1024x1024',
		});
		const [call] = mock.take();

		assert.deepEqual(call.json, {
			model: 'gpt-image-2', prompt: 'cat', n: 2, size: '1024x1024',
		});
		assert.equal(images.length, 2);
		assert.equal(kindOf(images[0].uint8Array), 'png');
	});

await test('openai: models of other names are, one picture a call',
	async (assert) => {
		const compatible = createOpenAI({
			apiKey: 'any', baseURL: `${mock.origin}/compat/v1`,
		});
		const { images } = await generateImage({
			model: compatible.image('flux-1'), prompt: 'cat', n: 2,
		});
		const calls = mock.take();

		assert.deepEqual(calls.map((call) => call.json.response_format),
			['b64_json', 'b64_json']);
		assert.deepEqual(calls.map((call) => call.json.n), [1, 1]);
		assert.equal(images.length, 2);
	});

done();
