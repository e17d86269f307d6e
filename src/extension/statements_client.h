/*-------------------------------------------------------------------------
 *
 * statements_client.h
 *		The statements of functions that clients call; arguments and results
 *		stand at each in statements_client.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_CLIENT_H
#define BAMBI_STATEMENTS_CLIENT_H

#include "statements.h"

extern BambiStatement bambi_client_active_user;
extern BambiStatement bambi_client_lock_user;
extern BambiStatement bambi_client_keep_user;

extern BambiStatement bambi_client_quota;
extern BambiStatement bambi_client_reserve;
extern BambiStatement bambi_client_reserve_limited;
extern BambiStatement bambi_client_begin_period;
extern BambiStatement bambi_client_unreserve;
extern BambiStatement bambi_client_release;

extern BambiStatement bambi_client_look;
extern BambiStatement bambi_client_keys;
extern BambiStatement bambi_client_waiting;
extern BambiStatement bambi_client_successor;
extern BambiStatement bambi_client_usable_keys;
extern BambiStatement bambi_client_queue;
extern BambiStatement bambi_client_queue_once;
extern BambiStatement bambi_client_find_request;

extern BambiStatement bambi_client_lock_queued;
extern BambiStatement bambi_client_lock_generation;
extern BambiStatement bambi_client_cancel_queued;
extern BambiStatement bambi_client_cancel_claimed;
extern BambiStatement bambi_client_write_off;
extern BambiStatement bambi_client_lock_for_retry;
extern BambiStatement bambi_client_requeue;

extern BambiStatement bambi_client_state;
extern BambiStatement bambi_client_images;

extern BambiStatement bambi_client_pgcrypto;
extern BambiStatement bambi_client_add_user;

extern BambiStatement bambi_client_stripe_event;

#endif							/* BAMBI_STATEMENTS_CLIENT_H */
