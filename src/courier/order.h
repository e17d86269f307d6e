/*-------------------------------------------------------------------------
 *
 * order.h
 *		What a job's JSON says is to be done.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ORDER_H
#define BAMBI_ORDER_H

#include "address.h"
#include "providers/provider.h"
#include "stores/store.h"

/* A picture to edit that a store keeps, instead of the worker's bringing it. */
typedef struct StoredInput
{
	int			position;		/* from 1; 0 is the mask */
	const StoreAdapter *store;
	const char *location;
} StoredInput;

/* All lent from the arena. */
typedef struct Order
{
	const char *user;
	const char *provider;
	const char *prompt;
	const char *model;
	const char *base_url;		/* without slash at the end */
	json_t	   *parameters;
	json_t	   *settings;
	json_t	   *operator_settings;
	int			tries;
	AddressRange *ranges;
	int			range_count;
	const ProviderAdapter *adapter;
	const StoreAdapter *store;
	StoredInput stored_inputs[MAX_INPUTS + 1];
	int			stored_input_count;
} Order;

/*
 * Only whose key it is, and with whom to speak; json lives as long as the arena.  The
 * model may be NULL.
 */
extern bool order_read_provider(Order *order, Arena *arena,
								const json_t *json);

/* False if something that must be there is not, or is unknown. */
extern bool order_read(Order *order, Arena *arena, const char *json,
					   size_t len);

#endif							/* BAMBI_ORDER_H */
