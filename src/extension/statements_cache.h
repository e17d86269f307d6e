/*-------------------------------------------------------------------------
 *
 * statements_cache.h
 *		The statements about values in Redis; arguments and results stand at
 *		each in statements_cache.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_STATEMENTS_CACHE_H
#define BAMBI_STATEMENTS_CACHE_H

#include "statements.h"

extern BambiStatement bambi_cache_note;
extern BambiStatement bambi_cache_note_catalogue;
extern BambiStatement bambi_cache_next_series;
extern BambiStatement bambi_cache_is_settled;
extern BambiStatement bambi_cache_take;
extern BambiStatement bambi_cache_has_more_than;
extern BambiStatement bambi_cache_clear;

#endif							/* BAMBI_STATEMENTS_CACHE_H */
