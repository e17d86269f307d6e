// stripe_lives.mjs
//	What happens to subscriptions, each life as the events that Stripe sends of
//	it, with what it must come to in whatever order they arrive.
//
// An event is [type, days after the beginning, object, what was before]; what
// is a function instead is done by somebody here at that place in the order.

import {
	charge, customer, day, deletedCustomer, dispute, entitlements, invoice,
	now, session, subscription,
} from './stripe_events.mjs';
import { sql } from './stripe_server.mjs';

const premium = {
	holds: 'premium', plan: 'premium', status: 'active', next: null,
	price: 'price_premium', from: -10 * day, until: 20 * day, ends: false,
	cancel_at: null, past_due: null, payment: null,
};
const basic = {
	...premium, holds: 'basic', plan: 'basic', price: 'price_basic',
};

// The parts that lives are made of, for one generation and one user.
function parts(generation, ids) {
	const sub = (more = {}) => subscription(generation,
		{ id: ids.subscription, customer: ids.customer, user: ids.user, ...more });
	const event = (name, at, object, previous) =>
		[`customer.subscription.${name}`, at, object, previous];
	const paid = (name, at, user) => [`invoice.${name}`, at,
		invoice(generation, { ...ids, user })];

	return { sub, event, paid };
}

export const lives = {
	// all in one second, as it is, and only the checkout knows the user
	'a checkout': (g, ids) => {
		const { sub, event, paid } = parts(g, { ...ids, user: undefined });

		return {
			events: [
				['checkout.session.completed', 0, session(g, ids)],
				event('created', 0, sub({ status: 'incomplete' })),
				event('updated', 0, sub(), { status: 'incomplete' }),
				paid('paid', 0),
			],
			end: { ...premium, payment: 'paid' },
		};
	},
	'a payment that fails, and is made': (g, ids) => {
		const { sub, event, paid } = parts(g, ids);

		return {
			events: [
				event('created', -30, sub()),
				event('updated', -3, sub({ status: 'past_due' }),
					{ status: 'active' }),
				paid('payment_failed', -3),
				event('updated', -1, sub(), { status: 'past_due' }),
				paid('paid', -1),
			],
			end: { ...premium, payment: 'paid' },
		};
	},
	'a payment that fails twice': (g, ids) => {
		const { sub, event, paid } = parts(g, ids);

		return {
			events: [
				event('created', -30, sub()),
				event('updated', -3, sub({ status: 'past_due' }),
					{ status: 'active' }),
				paid('payment_failed', -3),
				event('updated', -1, sub({ status: 'past_due' }),
					{ latest_invoice: 'in_0' }),
				paid('payment_action_required', -1),
			],
			end: {
				...premium, status: 'past_due', past_due: -3 * day,
				payment: 'action_required',
			},
		};
	},
	'a payment that is missing for longer than the grace': (g, ids) => {
		const { sub, event, paid } = parts(g, ids);

		return {
			events: [
				event('created', -30, sub()),
				event('updated', -9, sub({ status: 'past_due' }),
					{ status: 'active' }),
				paid('payment_failed', -9),
				event('updated', -2, sub({ status: 'past_due' })),
			],
			end: {
				...premium, holds: 'free', status: 'past_due',
				past_due: -9 * day, payment: 'failed',
			},
		};
	},
	'an upgrade, and a downgrade for the end of the period': (g, ids) => {
		const { sub, event, paid } = parts(g, { ...ids, user: undefined });

		return {
			events: [
				event('created', -9, sub({ price: 'price_basic' })),
				paid('paid', -9, ids.user),
				event('updated', -5, sub()),
				event('updated', -1, sub({ price: 'price_basic' })),
				['customer.updated', -8, customer(g, { id: ids.customer })],
			],
			end: {
				...premium, next: 'basic', price: 'price_basic',
				payment: 'paid',
			},
		};
	},
	'a downgrade whose day has come': (g, ids) => {
		const { sub, event, paid } = parts(g, { ...ids, user: undefined });
		const before = { from: now - 40 * day, until: now - 10 * day };

		return {
			events: [
				['checkout.session.completed', -40, session(g, ids)],
				event('created', -40, sub({ price: 'price_basic', ...before })),
				event('updated', -35, sub(before)),
				event('updated', -20, sub({ price: 'price_basic', ...before })),
				event('updated', -10, sub({ price: 'price_basic' })),
				paid('paid', -10),
			],
			end: { ...basic, payment: 'paid' },
		};
	},
	'a trial, and its end': (g, ids) => {
		const { sub, event } = parts(g, ids);

		return {
			events: [
				event('created', -30, sub({ status: 'trialing' })),
				event('trial_will_end', -13, sub({ status: 'trialing' })),
				event('updated', -10, sub(), { status: 'trialing' }),
				event('updated', -4, sub({ cancel_at_period_end: true }),
					{ cancel_at_period_end: false }),
				event('deleted', -1, sub({
					status: 'canceled', cancel_at_period_end: true,
				})),
			],
			end: {
				...premium, holds: 'free', status: 'canceled', ends: true,
				cancel_at: 20 * day,
			},
		};
	},
	'a pause, and another subscription': (g, ids) => {
		const { sub, event } = parts(g, ids);
		const id = `${ids.subscription}b`;

		return {
			events: [
				event('created', -30, sub()),
				event('created', -20, sub({ id, price: 'price_basic' })),
				event('paused', -9, sub({ status: 'paused' })),
				event('resumed', -8, sub(), { status: 'paused' }),
				event('deleted', -1, sub({ status: 'canceled' })),
			],
			end: { ...basic, subscription: id },
		};
	},
	'a customer who pays before there is a user': (g, ids) => {
		const { sub, event, paid } = parts(g, { ...ids, user: undefined });

		return {
			is_user_late: true,
			events: [
				() => sql(`INSERT INTO bambi.users (id) VALUES ('${ids.user}')`),
				['checkout.session.completed', -1, session(g, ids)],
				event('created', -1, sub({ status: 'incomplete' })),
				event('updated', -1, sub(), { status: 'incomplete' }),
				paid('paid', -1),
			],
			end: { ...premium, payment: 'paid' },
		};
	},
	'a customer whom an operator links': (g, ids) => {
		const { sub, event, paid } = parts(g, { ...ids, user: undefined });

		return {
			events: [
				() => sql(`SELECT bambi_link_customer('${ids.user}',
					'${ids.customer}')`),
				event('created', -1, sub({ status: 'incomplete' })),
				event('updated', -1, sub(), { status: 'incomplete' }),
				paid('paid', -1),
			],
			end: { ...premium, payment: 'paid' },
		};
	},
	'a customer who is deleted': (g, ids) => {
		const { sub, event } = parts(g, { ...ids, user: undefined });

		return {
			events: [
				['customer.created', -9, customer(g,
					{ id: ids.customer, user: ids.user })],
				event('created', -9, sub({ status: 'incomplete' })),
				event('updated', -9, sub(), { status: 'incomplete' }),
				['customer.deleted', -1, deletedCustomer(g,
					{ id: ids.customer })],
			],
			end: { ...premium, holds: 'free', status: 'canceled' },
		};
	},
	'a refund, and a dispute': (g, ids) => {
		const { sub, event } = parts(g, ids);
		const id = `dp_${ids.subscription}`;

		return {
			events: [
				event('created', -9, sub()),
				['charge.refunded', -8, charge(g, ids)],
				['charge.dispute.created', -7, dispute(g,
					{ id, status: 'needs_response' })],
				['charge.dispute.closed', -6, dispute(g,
					{ id, status: 'won' })],
				['entitlements.active_entitlement_summary.updated', -5,
					entitlements(g, ids)],
			],
			end: premium,
		};
	},
};
