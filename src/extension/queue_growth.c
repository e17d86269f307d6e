/*-------------------------------------------------------------------------
 *
 * queue_growth.c
 *		Has plans made anew when the queue has outgrown them.
 *
 * Plans are kept.  One that was made after a vacuum of the empty queue, when
 * all ways to a row cost the same, may go through the whole queue for each
 * claim, until autovacuum comes by; that takes a minute, in which thousands may
 * have been queued.  So the worker tells everybody, as ALTER TABLE would, that
 * the table is not what it was.  The planner looks at the real size of the file,
 * so no statistics are needed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "storage/bufmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "queue_growth.h"

/* Blocks that are read as fast as a single one. */
#define FEW_BLOCKS		8

/* From here on nobody can think it cheap to read all of it. */
#define MANY_BLOCKS		256

/* What it had when we last told of it, or less. */
static BlockNumber told_of = 0;

void
bambi_queue_growth_look(void)
{
	Oid			schema = get_namespace_oid("bambi_internal", true);
	Oid			oid = get_relname_relid("queue", schema);
	Relation	queue;
	BlockNumber blocks;

	if (!OidIsValid(oid))
		return;					/* the statements will say it better */
	queue = table_open(oid, AccessShareLock);
	blocks = RelationGetNumberOfBlocks(queue);
	if (blocks < told_of)
		told_of = blocks;
	else if (told_of < MANY_BLOCKS && blocks > told_of * 2 + FEW_BLOCKS)
	{
		CacheInvalidateRelcache(queue);
		told_of = blocks;
	}
	table_close(queue, NoLock);
}

void
bambi_queue_growth_forget(void)
{
	told_of = 0;
}
