/*-------------------------------------------------------------------------
 *
 * catalogue_cache.h
 *		What a session has read of the catalogue, kept until it changes.
 *
 * The catalogue is what operators keep and all users share: providers, models,
 * prices and plans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_CATALOGUE_CACHE_H
#define BAMBI_CATALOGUE_CACHE_H

#include "utils/timestamp.h"

/* What stands under a name; the first member of what a reader makes. */
typedef struct BambiCatalogueEntry
{
	TimestampTz read_at;		/* as it was then, */
	TimestampTz holds_until;	/* it is before this, if nothing is changed */
} BambiCatalogueEntry;

/* How to read what stands under a name at a time. */
typedef struct BambiCatalogueReader
{
	/* runs a statement */
	void		(*ask) (const char *name, TimestampTz now);

	/*
	 * makes the entry of its result, which has rows; all of it is allocated
	 * in the current context
	 */
	BambiCatalogueEntry *(*take) (TimestampTz now);
} BambiCatalogueReader;

/*
 * What the reader gives, or gave before and would give again; lent until
 * SPI_finish.  NULL if the statement gives no row.  Names of different readers
 * begin with different letters.  The last result (bambi_result) stays what it
 * was.
 */
extern const BambiCatalogueEntry *bambi_catalogue_find(const char *name,
													   TimestampTz now,
													   const BambiCatalogueReader *reader);

#endif							/* BAMBI_CATALOGUE_CACHE_H */
