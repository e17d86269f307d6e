/*-------------------------------------------------------------------------
 *
 * adopt.c
 *		What becomes of claims whose worker or courier is gone.
 *
 * A courier holds the lock of its spool directory from before its first job
 * until it is gone.  So a claim of another incarnation is one of these:
 *
 *	answer in the spool				settled like any answer
 *	none yet, lock held				the call still runs: look again
 *	none, lock free, file "end"		was never sent: back to the queue
 *	none, lock free, no "end"		the courier died: uncertain
 *	no directory at all				uncertain
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"

#include "adopt.h"
#include "agenda.h"
#include "courier_link.h"
#include "statements_worker.h"

/*
 * Most that is read from the spool before it is settled, and how long that
 * may take: a dead courier may have left more than fits in memory.
 */
#define ADOPT_BYTES		(16 * 1024 * 1024)
#define SETTLE_FIRST_MS	50

typedef enum DirectoryState
{
	DIRECTORY_MISSING,
	DIRECTORY_LOCKED,			/* its courier lives */
	DIRECTORY_ENDED,			/* all its calls are over */
	DIRECTORY_DEAD				/* its courier died in the middle */
} DirectoryState;

typedef struct Orphan
{
	pg_uuid_t	id;
	pg_uuid_t	user;
	pg_uuid_t	incarnation;
	int32		attempt;
	BambiParties parties;
} Orphan;

static char *
text_of(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out,
											   UUIDPGetDatum(uuid)));
}

static char *
directory_of(const pg_uuid_t *incarnation)
{
	return psprintf("%s/%s", bambi_spool_of_database(), text_of(incarnation));
}

static DirectoryState
look_at(const char *directory)
{
	int			fd = open(psprintf("%s/lock", directory),
						  O_RDWR | O_CLOEXEC);
	bool		is_free;

	if (fd < 0)
		return access(directory, F_OK) == 0 ? DIRECTORY_DEAD :
			DIRECTORY_MISSING;
	is_free = (flock(fd, LOCK_EX | LOCK_NB) == 0);
	close(fd);
	if (!is_free)
		return DIRECTORY_LOCKED;
	return access(psprintf("%s/end", directory), F_OK) == 0 ?
		DIRECTORY_ENDED : DIRECTORY_DEAD;
}

static char *
answer_file(const pg_uuid_t *incarnation, const pg_uuid_t *id, int32 attempt)
{
	return psprintf("%s/%s.%d.answer", directory_of(incarnation),
					text_of(id), attempt);
}

static bool
read_all(FILE *file, void *to, size_t size)
{
	return size == 0 || fread(to, 1, size, file) == size;
}

static void *
read_varlena(FILE *file, size_t size)
{
	void	   *value;

	if (size == 0)
		return NULL;
	value = MemoryContextAllocHuge(bambi_calls.context, VARHDRSZ + size);
	SET_VARSIZE(value, VARHDRSZ + size);
	if (read_all(file, VARDATA(value), size))
		return value;
	pfree(value);
	return NULL;
}

/* Frame after frame until the OUTCOME; false if the file ends before. */
static bool
read_answer(FILE *file, BambiCall *call)
{
	while (!call->is_answered)
	{
		uint8		bytes[FRAME_HEAD_SIZE];
		BambiFrame	frame;

		if (!read_all(file, bytes, sizeof(bytes)) ||
			!frame_decode(bytes, &frame.head) || frame.head.key_len != 0)
			return false;
		frame.json = read_varlena(file, frame.head.json_len);
		frame.picture = read_varlena(file, frame.head.picture_len);
		if ((frame.head.json_len && !frame.json) ||
			(frame.head.picture_len && !frame.picture))
			return false;
		bambi_call_take_frame(call, &frame);
	}
	return true;
}

static BambiCall *
call_of_orphan(const Orphan *orphan)
{
	BambiCall  *call = bambi_call_add();

	call->id = orphan->id;
	call->user = orphan->user;
	call->attempt = orphan->attempt;
	call->incarnation = orphan->incarnation;
	call->is_adopted = true;
	return call;
}

static void
conclude_dead(const Orphan *orphan)
{
	BambiCall  *call = call_of_orphan(orphan);

	call->is_death = true;
	bambi_call_conclude(call, RESULT_UNCERTAIN, "courier_died",
						"the courier died while the call ran");
}

/* True if there is an answer, or something in its place. */
static bool
adopt_answer(const Orphan *orphan)
{
	FILE	   *file = AllocateFile(answer_file(&orphan->incarnation,
												&orphan->id, orphan->attempt),
									PG_BINARY_R);
	BambiCall  *call;

	if (file == NULL)
		return false;
	call = call_of_orphan(orphan);
	if (!read_answer(file, call))
	{
		ereport(LOG,
				(errmsg("the spooled answer to generation %s cannot be read",
						text_of(&orphan->id))));
		bambi_call_remove(call);
		conclude_dead(orphan);
	}
	FreeFile(file);
	return true;
}

static bool
is_in_table(const Orphan *orphan)
{
	foreach_bambi_call(call)
	{
		if (memcmp(&call->id, &orphan->id, UUID_LEN) == 0)
			return true;
	}
	return false;
}

/* True if it must be looked at again; *runs: the call may still run. */
static bool
decide(const Orphan *orphan, bool *runs)
{
	DirectoryState state;

	*runs = false;
	if (is_in_table(orphan))
		return true;
	*runs = true;
	if (bambi_calls.used >= BAMBI_MAX_IN_FLIGHT)
		return true;

	/*
	 * The lock is looked at before the answer: the other way round an answer
	 * that comes in between would be missed.
	 */
	state = look_at(directory_of(&orphan->incarnation));
	*runs = false;
	if (state != DIRECTORY_MISSING && adopt_answer(orphan))
		return false;
	switch (state)
	{
		case DIRECTORY_LOCKED:
			*runs = true;
			return true;
		case DIRECTORY_ENDED:
			bambi_call_conclude(call_of_orphan(orphan), RESULT_WAIT,
								"", "was never sent");
			return false;
		default:
			conclude_dead(orphan);
			return false;
	}
}

static void
read_parties(Orphan *orphan, uint64 row)
{
	BambiParties *parties = &orphan->parties;
	bool		is_null;
	Datum		key = bambi_result(row, 5, &is_null);

	parties->user = orphan->user;
	parties->has_key = !is_null;
	if (!is_null)
		parties->key = *DatumGetUUIDP(key);
	parties->provider = *DatumGetUUIDP(bambi_result(row, 6, &is_null));
}

static Orphan *
read_orphans(int *count)
{
	Datum		values[] = {UUIDPGetDatum(&bambi_calls.incarnation)};
	uint64		rows = bambi_execute(&bambi_worker_orphans, values, NULL);
	Orphan	   *orphans = palloc0((rows + 1) * sizeof(Orphan));

	for (uint64 row = 0; row < rows; row++)
	{
		bool		is_null;

		orphans[row].id = *DatumGetUUIDP(bambi_result(row, 1, &is_null));
		orphans[row].user = *DatumGetUUIDP(bambi_result(row, 2, &is_null));
		orphans[row].attempt = DatumGetInt32(bambi_result(row, 3, &is_null));
		orphans[row].incarnation = *DatumGetUUIDP(bambi_result(row, 4,
															   &is_null));
		read_parties(&orphans[row], row);
	}
	*count = (int) rows;
	return orphans;
}

static void
remove_directory(const char *path)
{
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;

	while ((entry = ReadDirExtended(directory, path, LOG)) != NULL)
	{
		if (strcmp(entry->d_name, ".") != 0 &&
			strcmp(entry->d_name, "..") != 0)
			(void) unlink(psprintf("%s/%s", path, entry->d_name));
	}
	if (directory)
		FreeDir(directory);
	if (rmdir(path) != 0)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not remove directory \"%s\": %m", path)));
}

/*
 * Directories that no claim and no courier needs any more.  True if one of
 * them is still held by a courier.
 */
static bool
remove_old_directories(const Orphan *orphans, int count)
{
	DIR		   *spool = AllocateDir(bambi_spool_of_database());
	struct dirent *entry;
	bool		is_held = false;

	if (spool == NULL)
		return false;
	while ((entry = ReadDirExtended(spool, bambi_spool_of_database(),
									LOG)) != NULL)
	{
		char	   *path;
		bool		is_needed = entry->d_name[0] == '.' ||
		strcmp(entry->d_name, text_of(&bambi_calls.incarnation)) == 0;

		for (int i = 0; i < count && !is_needed; i++)
			is_needed = strcmp(entry->d_name,
							   text_of(&orphans[i].incarnation)) == 0;
		if (is_needed)
			continue;
		path = psprintf("%s/%s", bambi_spool_of_database(), entry->d_name);
		if (look_at(path) == DIRECTORY_LOCKED)
			is_held = true;
		else
			remove_directory(path);
	}
	FreeDir(spool);
	return is_held;
}

TimestampTz
bambi_adopt(TimestampTz now)
{
	int			count;
	Orphan	   *orphans = read_orphans(&count);
	Size		bytes = bambi_calls.answered_bytes;
	bool		must_look_again = false;
	bool		is_full = false;
	BambiParties *running = palloc((count + 1) * sizeof(BambiParties));
	int			running_count = 0;

	for (int i = 0; i < count; i++)
	{
		bool		runs = true;

		is_full |= bambi_calls.answered_bytes - bytes >= ADOPT_BYTES;
		if (!is_full)
			must_look_again |= decide(&orphans[i], &runs);
		if (runs)
			running[running_count++] = orphans[i].parties;
	}
	bambi_parties_set_others(running, running_count);
	if (is_full)
		return in_ms(now, SETTLE_FIRST_MS);
	must_look_again |= remove_old_directories(orphans, count);

	/* their directories go when their claims have been settled */
	return must_look_again || count > 0 ?
		in_ms(now, BAMBI_LOOK_AGAIN_MS) : 0;
}

void
bambi_adopt_forget(void)
{
	foreach_bambi_call(call)
	{
		if (call->is_adopted && !call->is_answered)
			bambi_call_remove(call);
	}
}

void
bambi_adopt_unlink(const BambiCall *call)
{
	(void) unlink(answer_file(&call->incarnation, &call->id, call->attempt));
}
