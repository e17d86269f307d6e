/*-------------------------------------------------------------------------
 *
 * archive_name.h
 *		What files in the archive may be called.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ARCHIVE_NAME_H
#define BAMBI_ARCHIVE_NAME_H

#include <jansson.h>
#include <stdbool.h>

#include "arena.h"

/* Of a whole name, with its prefix; S3 allows twice as much. */
#define ARCHIVE_NAME_MAX	512
/* Pieces between its slashes. */
#define ARCHIVE_NAME_DEPTH	16

/*
 * Whether it is made of pieces of letters, digits, ".", "_" and "-", with one
 * slash between two, and no piece leads to another place.
 */
extern bool archive_name_is_fine(const char *name);

/* Why bambi.archive_prefix will not do, as a constant, or NULL. */
extern const char *archive_prefix_problem(const json_t *settings);

/* The name with the prefix before it, in the arena; NULL if it is not fine. */
extern char *archive_name(Arena *arena, const json_t *settings,
						  const char *name);

#endif							/* BAMBI_ARCHIVE_NAME_H */
