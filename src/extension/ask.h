/*-------------------------------------------------------------------------
 *
 * ask.h
 *		What a session asks of the courier, through the worker, and waits
 *		for: a link that only the courier can sign, or a new master key.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ASK_H
#define BAMBI_ASK_H

#include "courier_link.h"

/* Tags of errands that sessions asked for, beside those of the outbox. */
#define BAMBI_ASK_TAG		0x8000

/*
 * For a session: asks, and waits for the reply, BAMBI_TRY_LATER if there is
 * nobody to ask, or no reply in patience_ms.  question is an errand as errands.h of
 * the courier describes it.  Gives the reply's JSON, palloc'ed; *is_done tells
 * whether the errand was done.
 */
extern char *bambi_ask_courier(const char *question, int patience_ms,
							   bool *is_done);

/* For the worker: hands over what sessions ask. */
extern void bambi_asks_send(void);

/* For the worker: a reply came, or none will because the courier is gone. */
extern void bambi_ask_answered(const BambiFrame *frame);
extern void bambi_asks_lost(void);

#endif							/* BAMBI_ASK_H */
