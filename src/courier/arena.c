/*-------------------------------------------------------------------------
 *
 * arena.c
 *		Memory of one job: given out piece by piece, freed as a whole.
 *
 * The first block holds the arena itself, so that a small job costs one
 * malloc.
 *
 *-------------------------------------------------------------------------
 */
#include "arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A usual job with its request and its answer fits in one. */
#define BLOCK_SIZE	(16 * 1024)

/*
 * What watches the bounds of malloc's memory sees those of a piece only if it
 * is a block of its own, and none is kept for the next arena.
 */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_PIECES_APART
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ARENA_PIECES_APART)
#define PIECES_APART	true
#define MAX_SPARE_BLOCKS	0
#else
#define PIECES_APART	false
#define MAX_SPARE_BLOCKS	64
#endif

#define ALIGNMENT	16

typedef struct Block
{
	struct Block *next;
	size_t		size;
	size_t		used;
	size_t		unused;			/* bytes begin at a multiple of ALIGNMENT */
	uint8_t		bytes[];
} Block;

typedef struct Release
{
	void		(*release) (void *object);
	void	   *object;
	struct Release *next;
} Release;

struct Arena
{
	Block	   *blocks;			/* the newest first; the first block last */
	Release    *releases;		/* the newest first */
};

static Block *spare_blocks;
static int	spare_count;

static Block *
new_block(size_t size)
{
	Block	   *block;

	if (size == BLOCK_SIZE && spare_blocks != NULL)
	{
		block = spare_blocks;
		spare_blocks = block->next;
		spare_count--;
	}
	else
		block = malloc(sizeof(Block) + size);

	if (block == NULL)
		abort();
	block->next = NULL;
	block->size = size;
	block->used = 0;
	return block;
}

/* A block of its own, behind: what is left of the newest one serves on. */
static void *
take_apart(Arena *arena, size_t size)
{
	Block	   *newest = arena->blocks;
	Block	   *block = new_block(size);

	block->used = size;
	block->next = newest->next;
	newest->next = block;
	return block->bytes;
}

static void *
take(Arena *arena, size_t size)
{
	Block	   *block = arena->blocks;
	void	   *piece;

	if (size > SIZE_MAX / 2)
		abort();
	if (PIECES_APART)
		return take_apart(arena, size);
	size = (size + ALIGNMENT - 1) & ~(size_t) (ALIGNMENT - 1);

	if (block->size - block->used < size)
	{
		if (size > BLOCK_SIZE / 4)
			return take_apart(arena, size);
		block = new_block(BLOCK_SIZE);
		block->next = arena->blocks;
		arena->blocks = block;
	}
	piece = block->bytes + block->used;
	block->used += size;
	return piece;
}

Arena *
arena_create(void)
{
	Block	   *block = new_block(BLOCK_SIZE);
	Arena	   *arena = (Arena *) block->bytes;

	block->used = (sizeof(Arena) + ALIGNMENT - 1) &
		~(size_t) (ALIGNMENT - 1);
	arena->blocks = block;
	arena->releases = NULL;
	return arena;
}

void
arena_destroy(Arena *arena)
{
	Block	   *block;
	Release    *release;

	if (arena == NULL)
		return;
	for (release = arena->releases; release != NULL; release = release->next)
		release->release(release->object);

	/* the arena lies in one of these blocks */
	block = arena->blocks;
	while (block != NULL)
	{
		Block	   *next = block->next;

		if (block->size == BLOCK_SIZE && spare_count < MAX_SPARE_BLOCKS)
		{
			block->next = spare_blocks;
			spare_blocks = block;
			spare_count++;
		}
		else
			free(block);
		block = next;
	}
}

void *
arena_alloc(Arena *arena, size_t size)
{
	return memset(take(arena, size), 0, size);
}

char *
arena_strdup(Arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *
arena_strndup(Arena *arena, const char *text, size_t len)
{
	char	   *copy = take(arena, len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
arena_printf(Arena *arena, const char *format,...)
{
	va_list		args;
	char	   *text;
	int			len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();

	text = take(arena, (size_t) len + 1);
	va_start(args, format);
	vsnprintf(text, (size_t) len + 1, format, args);
	va_end(args);
	return text;
}

void
arena_on_destroy(Arena *arena, void (*release) (void *object), void *object)
{
	Release    *entry = take(arena, sizeof(Release));

	entry->release = release;
	entry->object = object;
	entry->next = arena->releases;
	arena->releases = entry;
}
