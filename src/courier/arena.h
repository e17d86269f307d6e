/*-------------------------------------------------------------------------
 *
 * arena.h
 *		Memory of one job: given out piece by piece, freed as a whole.
 *
 * Allocation never returns NULL: the courier ends when memory does, and its
 * jobs are then uncertain like after any death.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BAMBI_ARENA_H
#define BAMBI_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

extern Arena *arena_create(void);
extern void arena_destroy(Arena *arena);

extern void *arena_alloc(Arena *arena, size_t size);	/* zeroed */
extern char *arena_strdup(Arena *arena, const char *text);
extern char *arena_strndup(Arena *arena, const char *text, size_t len);
extern char *arena_printf(Arena *arena, const char *format,...)
			__attribute__((format(printf, 2, 3)));

/*
 * Runs release(object) when the arena is destroyed: for what a library
 * allocated (json_t), and for what must be cleansed first (a Secret).
 */
extern void arena_on_destroy(Arena *arena, void (*release) (void *object),
							 void *object);

#endif							/* BAMBI_ARENA_H */
