/*-------------------------------------------------------------------------
 *
 * google_address.h
 *		Where a model of Google is called.
 *
 * Model, project and location are what users say, and part of an address:
 * nothing in them may lead anywhere else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_GOOGLE_ADDRESS_H
#define BAMBI_GOOGLE_ADDRESS_H

#include "../exchange.h"

/*
 * The base URL under which a location is served, without slash at its end:
 * derived where x->base_url is Google's own, else x->base_url as it is.
 * location is a plain name.
 */
extern const char *google_address_base(Exchange *x, const char *location);

/*
 * "models/MODEL:method", percent-encoded, in the arena.  NULL if the model
 * is no name at all: empty, too long, or only dots.
 */
extern const char *google_address_model(Exchange *x, const char *model,
										const char *method);

/* Whether it is a plain name: small letters, digits, and "-" within. */
extern bool google_address_is_plain(const char *name);

#endif							/* BAMBI_GOOGLE_ADDRESS_H */
