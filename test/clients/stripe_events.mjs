// stripe_events.mjs
//	Events as Stripe writes them: its own objects, from stripe-mock by way of
//	the official package, with what a test wants to say put in.
//
// Two generations of payloads: periods and the invoice's subscription moved
// with version 2025-03-31.

import Stripe from 'stripe';

export const day = 86400;
export const now = Math.floor(Date.now() / 1000);
export const personal = 'ada.lovelace@personal.example';

export const stripe = new Stripe('sk_test_123', {
	host: '127.0.0.1', port: Number(process.env.STRIPE_MOCK_PORT),
	protocol: 'http',
});

export const generations = {
	old: '2024-06-20',
	new: stripe.getApiField('version'),
};

const bases = {
	subscription: await stripe.subscriptions.retrieve('sub_1'),
	invoice: await stripe.invoices.retrieve('in_1'),
	session: await stripe.checkout.sessions.retrieve('cs_1'),
	customer: await stripe.customers.retrieve('cus_1'),
	deleted: await stripe.customers.del('cus_1'),
	charge: await stripe.charges.retrieve('ch_1'),
	dispute: await stripe.disputes.retrieve('dp_1'),
};

const copy = (object) => JSON.parse(JSON.stringify(object));

// Whatever a test does not say is as in a subscription that runs.
export function subscription(generation, {
	id, customer, user, status = 'active', price = 'price_premium',
	lookup_key = null, from = now - 10 * day, until = now + 20 * day,
	cancel_at_period_end = false, cancel_at = null, more_items = [],
}) {
	const object = {
		...copy(bases.subscription), id, customer, status,
		cancel_at_period_end, cancel_at, canceled_at: null, ended_at: null,
		created: now - 40 * day, metadata: user ? { user_id: user } : {},
		description: personal,
	};
	const [item] = object.items.data;
	const period = { current_period_start: from, current_period_end: until };

	delete object.plan;
	object.items.data = [{ price, lookup_key, ...period }, ...more_items]
		.map((wanted, number) => ({
			...copy(item), id: `si_${number}`, subscription: id,
			current_period_start: wanted.current_period_start ?? from,
			current_period_end: wanted.current_period_end ?? until,
			price: {
				...copy(item.price), id: wanted.price,
				lookup_key: wanted.lookup_key ?? null,
			},
		}));
	if (generation === 'old') {
		Object.assign(object, period);
		for (const one of object.items.data) {
			delete one.current_period_start;
			delete one.current_period_end;
		}
	}
	return object;
}

export function invoice(generation, { customer, subscription: id, user }) {
	const object = {
		...copy(bases.invoice), customer, customer_email: personal,
		metadata: {},
	};
	const details = { metadata: user ? { user_id: user } : {} };

	if (generation === 'old') {
		delete object.parent;
		Object.assign(object,
			{ subscription: id, subscription_details: details });
	} else {
		delete object.subscription;
		object.parent = {
			type: 'subscription_details', quote_details: null,
			subscription_details: { ...details, subscription: id },
		};
	}
	return object;
}

export const session = (generation, { customer, subscription: id, user }) => ({
	...copy(bases.session), mode: 'subscription', customer, subscription: id,
	client_reference_id: user ?? null, metadata: {},
	customer_details: { email: personal, name: personal },
});

export const customer = (generation, { id, user }) => ({
	...copy(bases.customer), id, email: personal, name: personal,
	metadata: user ? { user_id: user } : {},
});

export const deletedCustomer = (generation, { id }) =>
	({ ...copy(bases.deleted), id });

export const charge = (generation, { customer: id }) => ({
	...copy(bases.charge), customer: id, refunded: true,
	billing_details: { email: personal },
});

export const dispute = (generation, { id, status }) =>
	({ ...copy(bases.dispute), id, status });

export const entitlements = (generation, { customer: id }) => ({
	object: 'entitlements.active_entitlement_summary', customer: id,
	livemode: false, entitlements: { object: 'list', data: [] },
});

let events = 0;

// The body that Stripe would post: with its line ends and its indentation.
export function body(generation, type, created, object, previous, more = {}) {
	events += 1;
	return `${JSON.stringify({
		id: `evt_${process.pid}x${String(events).padStart(7, '0')}`,
		object: 'event', api_version: generations[generation], created,
		data: {
			object,
			...previous ? { previous_attributes: previous } : {},
		},
		livemode: false, pending_webhooks: 1,
		request: { id: null, idempotency_key: null }, type, ...more,
	}, null, 2)}\n`;
}
