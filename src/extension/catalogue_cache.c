/*-------------------------------------------------------------------------
 *
 * catalogue_cache.c
 *		What a session has read of the catalogue, kept until it changes.
 *
 * Triggers of the catalogue's tables send the invalidation that PostgreSQL
 * sends when a table is altered: it comes to every session, also of a standby,
 * with the commit of the change, and before its client hears of that.  Whatever
 * it is that alters one of the tables makes the cache void as well.
 *
 * What is kept was read in a snapshot that saw every change of which the
 * invalidation had come before; one that comes while it is read keeps it from
 * being kept.  So neither is kept nor used in a transaction
 *
 * - whose snapshot is older than its statements (REPEATABLE READ), or
 * - which changes the catalogue itself: others shall not see that yet, nor
 *   this session later on if it is rolled back.
 *
 * Without its triggers on all of the tables, say because an operator has
 * disabled one, nothing is kept: every look reads the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "storage/proc.h"
#include "storage/sinval.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "catalogue_cache.h"

/* More names than that are no catalogue: then the cache begins anew. */
#define MOST_NAMES		512

/* With the terminator; longer ones are read every time. */
#define NAME_SIZE		200

/* As the files of sql/tables name them, on each table. */
static const char *const trigger_names[] = {
	"void_caches", "void_caches_of_rows"
};
#define TRIGGERS	((int) lengthof(trigger_names))

static const char *const tables[] = {
	"api_providers", "models", "model_prices", "plans"
};
#define TABLES		((int) lengthof(tables))

typedef struct Slot
{
	char		name[NAME_SIZE];	/* key */
	BambiCatalogueEntry *entry;
	MemoryContext context;		/* of the entry; a child of the cache's */
} Slot;

/* Counts what made the cache void. */
static uint64 changes = 1;

/* The cache holds while this is what changes is. */
static uint64 made_at = 0;
static MemoryContext cache_context = NULL;
static HTAB *slots = NULL;		/* in it; NULL: nothing may be kept */
static Oid	watched[TABLES];

/* The transaction that changes the catalogue itself, if it still runs. */
static LocalTransactionId changed_in = InvalidLocalTransactionId;

PG_FUNCTION_INFO_V1(bambi_void_catalogue_caches);

static LocalTransactionId
this_transaction(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

/* May come at any moment at which a lock is taken: it only takes a note. */
static void
table_has_changed(Datum arg, Oid relation)
{
	bool		is_ours = !OidIsValid(relation);	/* it may be any */

	for (int i = 0; i < TABLES; i++)
		is_ours = is_ours || watched[i] == relation;
	if (is_ours)
		changes++;
}

/* The names of the tables may mean other ones. */
static void
schema_has_changed(Datum arg, int cache, uint32 hash)
{
	changes++;
}

/* Whether what changes in a table makes caches void. */
static bool
has_triggers(Oid relation)
{
	Relation	table = try_relation_open(relation, AccessShareLock);
	TriggerDesc *description = table ? table->trigdesc : NULL;
	int			found = 0;

	for (int i = 0; description && i < description->numtriggers; i++)
	{
		Trigger    *trigger = &description->triggers[i];

		for (int n = 0; n < TRIGGERS; n++)
		{
			if (strcmp(trigger->tgname, trigger_names[n]) == 0 &&
				trigger->tgenabled == TRIGGER_FIRES_ALWAYS)
				found++;
		}
	}
	if (table)
		relation_close(table, AccessShareLock);
	return found == TRIGGERS;
}

/* Watches the tables that are there now; false if not all can be. */
static bool
watch(void)
{
	Oid			schema = get_namespace_oid("bambi", true);
	bool		is_safe = OidIsValid(schema);

	/* first all of them: whatever comes from then on is noted */
	for (int i = 0; i < TABLES; i++)
	{
		watched[i] = OidIsValid(schema) ?
			get_relname_relid(tables[i], schema) : InvalidOid;
		is_safe = is_safe && OidIsValid(watched[i]);
	}
	for (int i = 0; is_safe && i < TABLES; i++)
		is_safe = has_triggers(watched[i]);
	return is_safe;
}

static HTAB *
make_slots(void)
{
	HASHCTL		control = {
		.keysize = NAME_SIZE,.entrysize = sizeof(Slot),.hcxt = cache_context
	};

	return hash_create("bambi catalogue", 32, &control,
					   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* An outer call of this session may still hold what is in there. */
static void
free_at_end_of_transaction(MemoryContext context)
{
	MemoryContextSetParent(context, TopTransactionContext);
}

/* An empty cache for a void one; one without slots where none may be. */
static void
begin_anew(void)
{
	static bool is_registered = false;

	if (!is_registered)
	{
		CacheRegisterRelcacheCallback(table_has_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, schema_has_changed,
									  (Datum) 0);
		is_registered = true;
	}

	if (cache_context)
		free_at_end_of_transaction(cache_context);
	slots = NULL;
	cache_context = NULL;
	made_at = changes;
	cache_context = AllocSetContextCreate(CacheMemoryContext,
										  "bambi catalogue",
										  ALLOCSET_DEFAULT_SIZES);
	if (watch())
		slots = make_slots();
}

/* The slots that may be used at this moment, NULL for none. */
static HTAB *
usable_slots(void)
{
	/* a transaction that holds all its locks gets no messages otherwise */
	AcceptInvalidationMessages();
	if (IsolationUsesXactSnapshot() || changed_in == this_transaction())
		return NULL;
	if (made_at != changes)
		begin_anew();
	return made_at == changes ? slots : NULL;
}

static void
drop(Slot *slot)
{
	free_at_end_of_transaction(slot->context);
	hash_search(slots, slot->name, HASH_REMOVE, NULL);
}

static const BambiCatalogueEntry *
find_kept(const char *name, TimestampTz now)
{
	Slot	   *slot = hash_search(slots, name, HASH_FIND, NULL);

	if (slot == NULL)
		return NULL;
	if (slot->entry->read_at <= now && now < slot->entry->holds_until)
		return slot->entry;
	drop(slot);
	return NULL;
}

static void
keep(const char *name, BambiCatalogueEntry *entry, MemoryContext context)
{
	Slot	   *slot;

	if (hash_get_num_entries(slots) >= MOST_NAMES)
	{
		changes++;
		return;
	}
	slot = hash_search(slots, name, HASH_ENTER, NULL);
	slot->entry = entry;
	slot->context = context;
	MemoryContextSetParent(context, cache_context);
}

/* In the context; the last result is that of before. */
static BambiCatalogueEntry *
read_anew(const char *name, TimestampTz now,
		  const BambiCatalogueReader *reader, MemoryContext context)
{
	SPITupleTable *result = SPI_tuptable;
	uint64		processed = SPI_processed;
	BambiCatalogueEntry *entry = NULL;
	MemoryContext caller;

	reader->ask(name, now);
	if (SPI_processed > 0)
	{
		caller = MemoryContextSwitchTo(context);
		entry = reader->take(now);
		MemoryContextSwitchTo(caller);
	}
	SPI_tuptable = result;
	SPI_processed = processed;
	return entry;
}

const BambiCatalogueEntry *
bambi_catalogue_find(const char *name, TimestampTz now,
					 const BambiCatalogueReader *reader)
{
	HTAB	   *usable = usable_slots();
	uint64		before = changes;
	const BambiCatalogueEntry *kept;
	BambiCatalogueEntry *entry;
	MemoryContext context;

	if (strlen(name) >= NAME_SIZE)
		usable = NULL;
	kept = usable ? find_kept(name, now) : NULL;
	if (kept)
		return kept;

	context = AllocSetContextCreate(CurrentMemoryContext,
									"bambi catalogue entry",
									ALLOCSET_SMALL_SIZES);
	entry = read_anew(name, now, reader, context);
	if (entry && usable && changes == before)
		keep(name, entry, context);
	return entry;
}

/*
 * Trigger of the catalogue's tables, before a statement: whoever looks while
 * the statement runs must not keep what it sees.  And after each row, since a
 * subscription (logical replication) fires no other ones.
 */
Datum
bambi_void_catalogue_caches(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		(TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
		 !TRIGGER_FIRED_AFTER(trigger->tg_event)))
		elog(ERROR, "void_catalogue_caches is a trigger before a statement or after a row");
	changed_in = this_transaction();
	CacheInvalidateRelcache(trigger->tg_relation);
	return PointerGetDatum(NULL);
}
