/*-------------------------------------------------------------------------
 *
 * catalogue.h
 *		What operators offer: models with their prices, and plans.
 *
 * All of it is lent until SPI_finish, as it was committed when it was looked
 * for (catalogue_cache.h).
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CATALOGUE_H
#define BAMBI_CATALOGUE_H

#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "catalogue_cache.h"
#include "parameters.h"
#include "price.h"

typedef struct BambiOffer
{
	pg_uuid_t	id;				/* of the model */
	pg_uuid_t	provider;
	char	   *slug;			/* the provider's */
	BambiModel	model;
	bool		is_usable;		/* bambi_internal.is_offered */
	bool		needs_key;
	bool		is_for_edits;	/* makes nothing from a prompt alone */
	BambiPriceList prices;
} BambiOffer;

/* What a name may mean. */
typedef struct BambiOffers
{
	BambiCatalogueEntry entry;
	int			count;			/* at least one */
	BambiOffer *offers;
} BambiOffers;

/* A row of bambi.plans, as far as it matters to a generation. */
typedef struct BambiPlan
{
	BambiCatalogueEntry entry;
	char	   *type;
	bool		is_limited;
	int32		limit;			/* generations in a period */
	Interval   *period;
	int32		weight;
	int32		per_minute;		/* 0: any number */
	int32		max_pictures;	/* 0: any number */
	int32		max_waiting;	/* 0: any number */
	ArrayType  *models;			/* NULL: any */
	char	   *store;			/* NULL: as bambi.store says */
	bool		has_budget;
	pg_uuid_t  *default_model;	/* NULL: none */
} BambiPlan;

/* NULL if no model has the name: provider/model, or the model's alone. */
extern const BambiOffers *bambi_catalogue_by_name(const char *name,
												  TimestampTz now);

/* NULL if there is none. */
extern const BambiOffers *bambi_catalogue_by_id(const pg_uuid_t *model,
												TimestampTz now);
extern const BambiPlan *bambi_catalogue_plan(const char *type,
											 TimestampTz now);

#endif							/* BAMBI_CATALOGUE_H */
