// stripe.mjs
//	Events of Stripe in every order that matters, twice, and forged.

import { readFileSync } from 'node:fs';

import {
	body, charge, customer, day, dispute, entitlements, invoice, now, personal,
	session, stripe, subscription,
} from './stripe_events.mjs';
import { tryDocuments } from './stripe_docs.mjs';
import { lives } from './stripe_lives.mjs';
import {
	Connection, generations, keep, secrets, setUp, sign, sql, states,
} from './stripe_server.mjs';
import { done, ok, test } from './tap.mjs';

const counted = { orders: 0, deliveries: 0, duplicates: 0, forgeries: 0 };

await setUp();
const connections = await Promise.all(
	[1, 2, 3].map(() => Connection.open()));
const [postgrest] = connections;

let places = 0;

// Names that nobody else has.
function place() {
	places += 1;
	return {
		user: `00000000-0000-7000-8000-${String(places).padStart(12, '0')}`,
		customer: `cus_${places}`, subscription: `sub_${places}`,
	};
}

const addUsers = (all) => sql(`INSERT INTO bambi.users (id)
	SELECT unnest('{${all.map((ids) => ids.user).join(',')}}'::uuid[])`);

function* permutations(list) {
	if (list.length < 2) {
		yield list;
	}
	for (const [index, first] of list.entries()) {
		const rest = list.filter((_, other) => other !== index);

		for (const order of list.length < 2 ? [] : permutations(rest)) {
			yield [first, ...order];
		}
	}
}

// Each in turn by whichever connection is free.
async function each(list, work) {
	const left = list.values();

	await Promise.all(connections.map(async (connection) => {
		for (const one of left) {
			await work(one, connection);
		}
	}));
}

const textOf = (generation, [type, days, object, previous]) =>
	body(generation, type, now + days * day, object, previous);

// ---- orders and duplicates

async function everyOrder(name, generation) {
	const runs = [];
	const number = lives[name](generation, place()).events.length;

	const orders = [...permutations([...Array(number).keys()])];

	// of 720 every fifth is enough for the other generation
	for (const order of orders.filter((_, index) =>
		number < 6 || generation === 'new' || index % 5 === 0)) {
		const ids = place();

		runs.push({ order, ids, ...lives[name](generation, ids) });
	}
	await addUsers(runs.filter((run) => !run.is_user_late)
		.map((run) => run.ids));
	await each(runs, async (run, connection) => {
		const bodies = run.events.map((event) =>
			typeof event === 'function' ? event : textOf(generation, event));
		const again = bodies.filter((one) => typeof one !== 'function');

		for (const index of run.order) {
			if (typeof bodies[index] === 'function') {
				await bodies[index]();
				continue;
			}
			const { answer } = await connection.post(bodies[index]);

			counted.deliveries += 1;
			if (answer !== 'applied' && answer !== 'recorded') {
				throw new Error(`${run.order}: ${answer}`);
			}
		}
		// the first and the last once more, or now and then all of them
		for (const content of runs.indexOf(run) % 20 === 0
			? again : [again.at(0), again.at(-1)]) {
			const { answer } = await connection.post(content);

			counted.duplicates += 1;
			if (answer !== 'duplicate') {
				throw new Error(`${run.order}, again: ${answer}`);
			}
		}
		counted.orders += 1;
	});

	const found = await states(runs.map((run) => run.ids.user));

	return runs.filter(({ ids, order, end }) => {
		const expected = {
			customer: ids.customer, subscription: ids.subscription, ...end,
		};
		const state = found[ids.user];
		const differ = Object.keys(expected).filter((key) =>
			state[key] !== expected[key]);

		if (differ.length > 0) {
			console.log(`# order ${order}: ${differ.map((key) =>
				`${key} ${state[key]}, not ${expected[key]}`)}`);
		}
		return differ.length > 0;
	}).length;
}

for (const generation of Object.keys(generations)) {
	for (const name of Object.keys(lives)) {
		await test(`${generations[generation]}: ${name}, in every order`,
			async (assert) => {
				assert.equal(await everyOrder(name, generation), 0);
			});
	}
}

// ---- one event each: statuses, types, periods, prices

// What a user has after the events, given as functions of the names.
async function after(generation, ...events) {
	const ids = place();

	await addUsers([ids]);
	for (const event of events) {
		const { answer } =
			await postgrest.post(textOf(generation, event(ids)));

		counted.deliveries += 1;
		if (answer !== 'applied') {
			throw new Error(answer);
		}
	}
	return (await states([ids.user]))[ids.user];
}

const has = (generation, more) => (ids) => ['customer.subscription.updated',
	-1, subscription(generation, { ...ids, id: ids.subscription, ...more })];

for (const generation of Object.keys(generations)) {
	const version = generations[generation];

	await test(`${version}: every status grants what it should`,
		async (assert) => {
			const granted = {
				trialing: 'premium', active: 'premium', past_due: 'premium',
				paused: 'free', canceled: 'free', unpaid: 'free',
				incomplete: 'free', incomplete_expired: 'free',
			};

			for (const [status, plan] of Object.entries(granted)) {
				const state = await after(generation,
					has(generation, { status }));

				assert.equal(state.status, status);
				assert.equal(state.holds, plan, status);
			}
		});

	await test(`${version}: every type is known`, async (assert) => {
		const ids = place();
		const sub = () =>
			subscription(generation, { ...ids, id: ids.subscription });
		const objects = {
			'checkout.session.completed': () => session(generation, ids),
			'checkout.session.async_payment_succeeded': () =>
				session(generation, ids),
			...Object.fromEntries(['created', 'updated', 'deleted', 'paused',
				'resumed', 'trial_will_end', 'pending_update_applied',
				'pending_update_expired'].map((name) =>
				[`customer.subscription.${name}`, sub])),
			...Object.fromEntries(['paid', 'payment_failed',
				'payment_action_required'].map((name) =>
				[`invoice.${name}`, () => invoice(generation, ids)])),
			...Object.fromEntries(['created', 'updated', 'deleted'].map(
				(name) => [`customer.${name}`, () => customer(generation,
					{ id: ids.customer })])),
		};
		const recorded = {
			'charge.refunded': () => charge(generation, ids),
			...Object.fromEntries(['created', 'updated', 'closed',
				'funds_withdrawn', 'funds_reinstated'].map((name) =>
				[`charge.dispute.${name}`, () => dispute(generation,
					{ id: 'dp_types', status: 'lost' })])),
			'entitlements.active_entitlement_summary.updated': () =>
				entitlements(generation, ids),
		};
		const ignored = {
			'payment_intent.created': () => ({ id: 'pi_1' }),
			'product.created': () => ({ id: 'prod_1' }),
			'v2.core.account.updated': () => ({ id: 'acct_1' }),
		};

		for (const [outcome, types] of Object.entries(
			{ applied: objects, recorded, ignored })) {
			for (const [type, make] of Object.entries(types)) {
				const { answer } = await postgrest.post(
					textOf(generation, [type, 0, make()]));

				assert.equal(answer, outcome, type);
				counted.deliveries += 1;
			}
		}
	});

	await test(`${version}: it ends by either member`, async (assert) => {
		const end = now + 20 * day;
		const ends = async (more) => {
			const state = await after(generation, has(generation, more));

			return [state.ends, state.cancel_at];
		};

		assert.deepEqual(await ends({}), [false, null]);
		assert.deepEqual(await ends({ cancel_at_period_end: true }),
			[true, 20 * day]);
		assert.deepEqual(await ends({ cancel_at: end }), [true, 20 * day]);
		assert.deepEqual(await ends({ cancel_at: end + day }),
			[false, 21 * day]);
		assert.deepEqual(
			await ends({ cancel_at_period_end: true, cancel_at: end }),
			[true, 20 * day]);
	});

	await test(`${version}: a price is known by id or lookup key`,
		async (assert) => {
			const plan = async (more) => {
				const state = await after(generation, has(generation, more));

				return [state.plan, state.price];
			};

			assert.deepEqual(await plan({
				price: 'price_x', lookup_key: 'premium_monthly',
			}), ['premium', 'price_x']);
			assert.deepEqual(await plan({
				price: 'price_basic', lookup_key: 'premium_monthly',
			}), ['basic', 'price_basic']);
			assert.deepEqual(await plan({
				price: 'price_basic', more_items: [{ price: 'price_premium' }],
			}), ['premium', 'price_premium']);
			assert.deepEqual(await plan({
				price: 'price_premium', more_items: [{ price: 'price_addon' }],
			}), ['premium', 'price_premium']);
		});
}

await test('the period is the longest of the items', async (assert) => {
	const state = await after('new', has('new', {
		more_items: [{
			price: 'price_addon', current_period_start: now - 3 * day,
			current_period_end: now + 60 * day,
		}],
	}));

	assert.equal(state.from, -3 * day);
	assert.equal(state.until, 60 * day);
});

await test('an unknown price waits for an operator', async (assert) => {
	const price = 'price_of_tomorrow';
	const ids = place();

	await addUsers([ids]);
	await postgrest.post(textOf('new', has('new', { price })(ids)));
	assert.equal((await states([ids.user]))[ids.user].holds, 'free');
	assert.equal(await sql(`SELECT problem, detail FROM bambi_stripe_problems
		WHERE customer_id = '${ids.customer}'`), `unknown price|${price}`);
	await sql(`SET ROLE bambi_admin;
		INSERT INTO bambi.stripe_prices VALUES ('${price}', 'premium')`);
	assert.equal((await states([ids.user]))[ids.user].holds, 'premium');
	assert.equal(await sql(`SELECT count(*) FROM bambi_stripe_problems
		WHERE customer_id = '${ids.customer}'`), '0');
	await sql(`DELETE FROM bambi.stripe_prices WHERE price = '${price}'`);
	assert.equal((await states([ids.user]))[ids.user].holds, 'free');
});

await test('who pays without a user is a problem until linked',
	async (assert) => {
		const ids = place();
		const problems = () => sql(`SELECT problem FROM bambi_stripe_problems
			WHERE customer_id = '${ids.customer}'`);

		await addUsers([ids]);
		await postgrest.post(textOf('new',
			has('new', { user: undefined })(ids)));
		assert.equal(await problems(), 'unknown user');
		await sql(`SET ROLE bambi_admin;
			SELECT bambi_link_customer('${ids.user}', '${ids.customer}')`);
		assert.equal(await problems(), '');
		assert.equal((await states([ids.user]))[ids.user].holds, 'premium');
	});

await test('a customer goes to another user with all it has',
	async (assert) => {
		const [one, two] = [place(), place()];
		const moved = { ...one, user: two.user };

		await addUsers([one, two]);
		await postgrest.post(textOf('new', has('new', {})(one)));
		await postgrest.post(textOf('new', ['customer.updated', 0,
			customer('new', { id: one.customer, user: moved.user })]));
		const found = await states([one.user, two.user]);

		assert.equal(found[one.user].holds, 'free');
		assert.equal(found[one.user].customer, null);
		assert.equal(found[two.user].holds, 'premium');
		assert.equal(found[two.user].customer, one.customer);
	});

await test('metadata of the merchant outweighs what a payer may write',
	async (assert) => {
		const [one, two] = [place(), place()];

		await addUsers([one, two]);
		await postgrest.post(textOf('new', has('new', {})(one)));
		await postgrest.post(textOf('new', ['checkout.session.completed', 0,
			session('new', { ...one, user: two.user })]));
		const found = await states([one.user, two.user]);

		assert.equal(found[one.user].holds, 'premium');
		assert.equal(found[two.user].holds, 'free');
	});

// ---- what does not count, and what cannot be read

async function countEvents(id) {
	return Number(await sql(`SELECT count(*) FROM bambi.stripe_events
		WHERE event_id = '${id}'`));
}

await test('events of the other mode, or another account, do nothing',
	async (assert) => {
		const ids = place();
		const make = (more) => body('new', 'customer.subscription.updated', now,
			subscription('new', { ...ids, id: ids.subscription }), null, more);

		await addUsers([ids]);
		assert.equal((await postgrest.post(make({ livemode: true }))).answer,
			'wrong_mode');
		assert.equal((await postgrest.post(make({ account: 'acct_1' }))).answer,
			'ignored');
		assert.equal((await states([ids.user]))[ids.user].holds, 'free');
		assert.equal(await sql(`SELECT count(*) FROM bambi_stripe_problems
			WHERE problem = 'wrong mode'`), '1');
	});

const valid = () => {
	const ids = place();

	return JSON.parse(body('new', 'customer.subscription.updated', now,
		subscription('new', { ...ids, id: ids.subscription })));
};
const spoil = (change) => {
	const event = valid();

	change(event, event.data.object);
	return JSON.stringify(event);
};
const poison = {
	'a NUL in a text': spoil((e, o) => {
		o.description = '\u0000';
	}),
	'no id': spoil((e) => {
		delete e.id;
	}),
	'a long id': spoil((e) => {
		e.id = `evt_${'x'.repeat(9999)}`;
	}),
	'no type': spoil((e) => {
		delete e.type;
	}),
	'no time': spoil((e) => {
		delete e.created;
	}),
	'a time that is none': spoil((e) => {
		e.created = 'yesterday';
	}),
	'a time of another age': spoil((e) => {
		e.created = 1e18;
	}),
	'a status of tomorrow': spoil((e, o) => {
		o.status = 'enlightened';
	}),
	'no status': spoil((e, o) => {
		delete o.status;
	}),
	'a period that is none': spoil((e, o) => {
		o.items.data[0].current_period_end = 'soon';
	}),
	'a period of another age': spoil((e, o) => {
		o.items.data[0].current_period_end = 1e17;
	}),
	'a long customer': spoil((e, o) => {
		o.customer = 'c'.repeat(9999);
	}),
	'no data': spoil((e) => {
		delete e.data;
	}),
	'an array': '[1, 2, 3]',
	'a text': '"evt_1"',
	'null': 'null',
	'deep arrays': `{"id": "evt_deep", "type": ${'['.repeat(900)}${
		']'.repeat(900)}}`,
};

for (const [what, content] of Object.entries(poison)) {
	await test(`${what} is noted once, and not sent again`, async (assert) => {
		assert.equal((await postgrest.post(content)).answer, 'failed');
		assert.equal((await postgrest.post(content)).answer, 'duplicate');
		assert.equal((await postgrest.pass(content)).answer, 'duplicate');
		counted.deliveries += 3;
	});
}

// ---- signatures that are good

await test('the package and we agree on what is signed', async (assert) => {
	for (const generation of Object.keys(generations)) {
		const content = textOf(generation, has(generation, {})(place()));
		const header = sign(content);
		const event = stripe.webhooks.constructEvent(content, header,
			secrets.old);

		assert.equal((await postgrest.post(content, header)).answer, 'applied');
		assert.equal(await countEvents(event.id), 1);
		assert.equal((await postgrest.pass(content, header)).answer,
			'duplicate');
	}
});

const fresh = () => textOf('new', has('new', {})(place()));
const v1 = (content, more) => sign(content, more).match(/v1=(\w+)/)[1];
const at = (seconds) => Math.floor(Date.now() / 1000) + seconds;

await test('other forms that are good', async (assert) => {
	const zeros = '0'.repeat(64);
	const good = {
		'among others': (c) => sign(c).replace('v1=', `v1=${zeros},v1=`),
		'before others': (c) => `${sign(c)},v1=${zeros}`,
		'among many': (c) =>
			sign(c).replace('v1=', `${`v1=${zeros},`.repeat(40)}v1=`),
		'with v0': (c) => `${sign(c)},v0=${zeros}`,
		'with a scheme of tomorrow': (c) => sign(c).replace(',', ',v9=abc,'),
		'with the time behind': (c) => sign(c).split(',').reverse().join(','),
		'some minutes old': (c) => sign(c, { timestamp: at(-200) }),
		'of a clock that is before ours': (c) =>
			sign(c, { timestamp: at(290) }),
	};

	for (const [what, header] of Object.entries(good)) {
		const content = fresh();

		assert.equal((await postgrest.post(content, header(content))).answer,
			'applied', what);
		counted.deliveries += 1;
	}
});

await test('while a secret is rolled both are good', async (assert) => {
	const statusOf = async (...signed) => {
		const content = fresh();
		const timestamp = at(0);
		const hex = signed.map((secret) =>
			`v1=${v1(content, { secret, timestamp })}`);

		const header = [`t=${timestamp}`, ...hex].join(',');

		return (await postgrest.post(content, header)).status;
	};

	assert.equal(await statusOf(secrets.old), 200);
	assert.equal(await statusOf(secrets.new), 400);
	keep(secrets.new, secrets.old);
	assert.equal(await statusOf(secrets.old), 200);
	assert.equal(await statusOf(secrets.new), 200);
	assert.equal(await statusOf(secrets.third, secrets.new), 200);
	keep(secrets.new, secrets.old, secrets.third);
	assert.equal(await statusOf(secrets.third), 400);
	keep(secrets.new);
	assert.equal(await statusOf(secrets.old), 400);
	assert.equal(await statusOf(secrets.new), 200);
	keep();
	assert.equal(await statusOf(secrets.new), 500);
	keep('short');
	assert.equal(await statusOf('short'), 500);
	keep(secrets.old);
	assert.equal(await statusOf(secrets.old), 200);
});

// ---- forgeries

const stored = () => sql('SELECT count(*) FROM bambi.stripe_events');

async function refused(content, header, ways = ['post', 'pass']) {
	let all = true;

	for (const way of ways) {
		if (way === 'pass' && header === null) {
			continue;
		}
		const answer = await postgrest[way](content, header);

		counted.forgeries += 1;
		all &&= answer.status === 400 && answer.code === '22023' &&
			answer.message === 'Stripe\'s signature is not valid' &&
			answer.detail === undefined;
	}
	return all;
}

// What the package takes, we need not; what it refuses, we refuse.
function packageRefuses(content, header) {
	try {
		stripe.webhooks.constructEvent(content, header, secrets.old);
		return false;
	} catch {
		return true;
	}
}

const forged = {
	'another secret': (c) => sign(c, { secret: secrets.new }),
	'no secret': (c) => sign(c, { secret: ' ' }),
	'the secret without its prefix': (c) =>
		sign(c, { secret: secrets.old.slice(6) }),
	'another body': () => sign(fresh()),
	'the body without its last line end': (c) => sign(c.trimEnd()),
	'the body written anew': (c) => sign(JSON.stringify(JSON.parse(c))),
	'no header': () => null,
	'an empty header': () => '',
	'commas': () => ',,,,',
	'only a time': () => `t=${at(0)}`,
	'no time': (c) => `v1=${v1(c)}`,
	'an empty time': (c) => `t=,v1=${v1(c)}`,
	'a time that is none': (c) => `t=now,v1=${v1(c)}`,
	'a negative time': (c) => sign(c, { timestamp: -at(0) }),
	'time 0': (c) => `t=0,v1=${v1(c, { timestamp: 0.1 })}`,
	'a time as hex': (c) =>
		`t=0x${at(0).toString(16)},v1=${v1(c, { timestamp: at(0) })}`,
	'a time of 40 digits': (c) => sign(c, { timestamp: '9'.repeat(40) }),
	'another time': (c) => sign(c, { timestamp: at(-9) })
		.replace(/t=\d+/, `t=${at(-8)}`),
	'an old time': (c) => sign(c, { timestamp: at(-302) }),
	'an hour ago': (c) => sign(c, { timestamp: at(-3600) }),
	'a year ago': (c) => sign(c, { timestamp: at(-365 * day) }),
	'only v0': (c) => sign(c, { scheme: 'v0' }),
	'only v2': (c) => sign(c, { scheme: 'v2' }),
	'V1': (c) => sign(c, { scheme: 'V1' }),
	'an empty v1': () => `t=${at(0)},v1=`,
	'a short v1': (c) => sign(c).slice(0, -1),
	'a long v1': (c) => `${sign(c)}0`,
	'v1 in capitals': (c) => sign(c).replace(/v1=.*/,
		(text) => `v1=${text.slice(3).toUpperCase()}`),
	'v1 in base64': (c) => sign(c).replace(/v1=.*/, (text) =>
		`v1=${Buffer.from(text.slice(3), 'hex').toString('base64')}`),
	'v1 of zeros': () => `t=${at(0)},v1=${'0'.repeat(64)}`,
	'semicolons': (c) => sign(c).replaceAll(',', ';'),
	'colons': (c) => sign(c).replaceAll('=', ':'),
	'a name before it': (c) => `Stripe-Signature: ${sign(c)}`,
	'no ASCII': (c) => sign(c).replace('v1', 'v\u0661'),
	'many that are wrong': () =>
		`t=${at(0)}${`,v1=${'1'.repeat(64)}`.repeat(50)}`,
	'5000 characters': () => `t=${at(0)},v1=${'a'.repeat(5000)}`,
	'SQL': () => '\'; DROP TABLE bambi.users; --',
};

// Where we are stricter than the package.
const stricter = {
	'a time of 13 digits': (c) => sign(c, { timestamp: Date.now() }),
	'a fraction of a time': (c) => sign(c).replace(',', '.5,'),
	'a time to come': (c) => sign(c, { timestamp: at(360) }),
	'tomorrow': (c) => sign(c, { timestamp: at(day) }),
	'a second time': (c) => `t=${at(-9)},${sign(c)}`,
};

const before = await stored();

for (const [what, header] of Object.entries(forged)) {
	await test(`forged: ${what}`, async (assert) => {
		const content = fresh();
		const text = header(content);

		assert.ok(packageRefuses(content, text), 'by the package');
		assert.ok(await refused(content, text), 'by us');
	});
}
for (const [what, header] of Object.entries(stricter)) {
	await test(`forged: ${what}`, async (assert) => {
		const content = fresh();

		assert.ok(await refused(content, header(content)));
	});
}

await test('forged: any digit of a signature', async (assert) => {
	const content = fresh();
	const header = sign(content);
	const start = header.indexOf('v1=') + 3;

	for (let i = start; i < start + 64; i++) {
		const digit = header[i] === '0' ? '1' : '0';
		const text = header.slice(0, i) + digit + header.slice(i + 1);

		assert.ok(await refused(content, text), `digit ${i - start}`);
	}
});

// Small, so that every byte of it can be tried.
await test('forged: any byte of a body', async (assert) => {
	const content = JSON.stringify({
		id: 'evt_small', object: 'event', created: now, livemode: false,
		type: 'customer.subscription.updated', data: {
			object: {
				id: 'sub_small', customer: 'cus_small', status: 'active',
				items: { data: [{ price: { id: 'price_premium' } }] },
			},
		},
	});
	const header = sign(content);

	for (let i = 0; i < content.length; i++) {
		const other = content[i] === 'a' ? 'b' : 'a';

		assert.ok(await refused(
			content.slice(0, i) + other + content.slice(i + 1), header,
			['pass']), `byte ${i}`);
		assert.ok(await refused(
			content.slice(0, i) + content.slice(i + 1), header,
			['pass']), `byte ${i} left out`);
	}
	assert.equal((await postgrest.pass(content, header)).answer, 'applied');
});

await test('of what was forged nothing is stored', async (assert) => {
	assert.equal(Number(await stored()), Number(before) + 1);
});

// ---- who may call, and what stays secret

await test('users may not pass events on, anybody may post them',
	async (assert) => {
		const content = fresh();
		const may = async (role) =>
			(await postgrest.pass(content, sign(content), role)).code;

		assert.equal(await may('anon'), '42501');
		assert.equal(await may('authenticated'), '42501');
		assert.equal(await sql(`SELECT has_function_privilege('anon',
			'bambi_stripe_webhook(json)', 'EXECUTE')`), 't');
	});

await test('the header counts in sessions of PostgREST only',
	async (assert) => {
		const content = fresh();
		const headers = JSON.stringify({ 'stripe-signature': sign(content) });

		await assert.rejects(sql(`CREATE ROLE stranger LOGIN;
			GRANT bambi_service TO stranger`).then(() => sql(
			`SET request.headers = $h$${headers}$h$;
			SELECT bambi_stripe_webhook($e$${content}$e$::json)`,
			'stranger')), /22023/);
	});

await test('no secret and nothing personal is anywhere', async (assert) => {
	const dump = await sql(`SELECT string_agg(e::text, '')
		FROM bambi.stripe_events e`);
	const log = readFileSync(`${process.env.CLUSTER}/log`, 'utf8');

	assert.ok(dump.length > 1000000);
	assert.ok(!dump.includes(personal));
	for (const secret of Object.values(secrets)) {
		assert.ok(!dump.includes(secret));
		assert.ok(!log.includes(secret));
	}
	await assert.rejects(
		sql('SHOW bambi.stripe_webhook_secret_file', 'authenticator'),
		/42501/);
});

{
	const ids = place();

	await addUsers([ids]);
	await tryDocuments(postgrest, ids, () => {
		const content = fresh();

		return { body: content, signature: sign(content) };
	});
}

await Promise.all(connections.map((connection) => connection.end()));
console.log(`# counted: ${counted.orders} orders of events, ` +
	`${counted.deliveries} deliveries, ${counted.duplicates} duplicates, ` +
	`${counted.forgeries} forgeries`);
ok(counted.orders > 820 && counted.forgeries > 500, 'so many were tried');

done();
