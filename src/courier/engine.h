/*-------------------------------------------------------------------------
 *
 * engine.h
 *		Performs HTTP requests, many at once.
 *
 * What rules N1 to N7 and D5 say of requests is kept here, for every request
 * alike: no adapter can forget it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ENGINE_H
#define BAMBI_ENGINE_H

#include "address.h"
#include "budget.h"
#include "exchange.h"
#include "settings.h"

#include <sys/types.h>

typedef struct Call Call;

/* x->reply is filled in; the Call is gone, but for a channel that stands. */
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

/*
 * A call for a channel that has ended well is not gone, but connected, until
 * engine_abort ends it.  Its socket, for loop_watch:
 */
extern int	engine_channel_socket(const Call *call);

/*
 * How many bytes were sent, or received: 0 if none can be now, -1 if the
 * connection is over.
 */
extern ssize_t engine_channel_send(Call *call, const void *bytes, size_t len);
extern ssize_t engine_channel_receive(Call *call, void *bytes, size_t size);

/* Reports the calls that have ended; once a turn. */
extern void engine_collect(void);

#endif							/* BAMBI_ENGINE_H */
