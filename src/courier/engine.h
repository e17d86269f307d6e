/*-------------------------------------------------------------------------
 *
 * engine.h
 *		Performs HTTP requests, many at once.
 *
 * The rules of the network (N1 to N7 and D5) are kept here, for every
 * request alike: no adapter can forget them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ENGINE_H
#define BAMBI_ENGINE_H

#include "address.h"
#include "budget.h"
#include "exchange.h"
#include "settings.h"

typedef struct Call Call;

/* x->reply is filled in; the Call is gone. */
typedef void (*CallEnded) (void *owner);

extern void engine_start(void);

/* Takes effect for calls from now on. */
extern void engine_configure(const Settings *settings);

/*
 * Performs x->request; timeout_ms bounds all of it.  x, the ranges in which
 * its host may lie besides public addresses, and the share of the byte budget
 * that whoever asks holds already (or NULL), are lent until ended is called,
 * which happens from engine_collect only.
 */
extern Call *engine_send(Exchange *x, const AddressRange *ranges,
						 int range_count, long timeout_ms, Share *share,
						 CallEnded ended, void *owner);

/*
 * Ends the call at once; ended is not called.  Until then x->reply.wrote
 * tells whether the first byte of the request went out.
 */
extern void engine_abort(Call *call);

/* Reports the calls that have ended; once a turn. */
extern void engine_collect(void);

#endif							/* BAMBI_ENGINE_H */
