/*-------------------------------------------------------------------------
 *
 * archive.c
 *		Errands of the archive: files go there, are proved to be there, and
 *		come back.
 *
 * An errand is a list of stages, each of them one exchange with the archive or
 * with an image store, and what is made of its result.  All of its bytes are
 * in memory: the file as it is stored, what is in it, and, while it is proved,
 * what was read back.
 *
 *-------------------------------------------------------------------------
 */
#include "archive.h"

#include <stdlib.h>
#include <string.h>

#include "archive_name.h"
#include "compression.h"
#include "hash.h"
#include "link.h"
#include "loop.h"
#include "point.h"
#include "runner.h"
#include "stores.h"
#include "text.h"

/* Each stage; a file may have as many bytes as a picture. */
#define STAGE_TIMEOUT_MS	(120 * 1000)

typedef struct Stage Stage;
typedef struct Kind Kind;

typedef struct ArchiveErrand
{
	uint64_t	tag;
	Arena	   *arena;
	Runner		runner;
	const Kind *kind;
	const Stage *stage;
	const ArchiveAdapter *archive;	/* while a stage runs */
	const char *name;			/* as the worker knows it */
	const char *path;			/* with the prefix */
	bool		is_raw;
	const char *wanted_sha256;	/* or NULL */
	const StoreAdapter *store;
	const char *location;

	Picture		stored;			/* the file, or what it is to be */
	Picture		content;		/* what is in it, where it is not raw */
	Picture		proof;			/* what was read back */
	char		stored_sha256[HASH_HEX_SIZE];
	Share		share;			/* of the byte budget: the three */
	bool		is_damaged;

	struct ArchiveErrand *previous;
	struct ArchiveErrand *next;
} ArchiveErrand;

struct Stage
{
	bool		is_in_store;	/* in the image store, not the archive */
	Next		(*step) (Runner *runner);

	/* Looks at the result; false with x.fault set.  NULL: any will do. */
	bool		(*take) (ArchiveErrand *errand);
};

struct Kind
{
	const char *name;
	const Stage *stages;		/* the last has no step */
	bool		has_payload;
	bool		is_raw;			/* always */
	bool		gives_content;
	bool		gives_facts;
};

/* All that run. */
static ArchiveErrand *first;

static Next step_put(Runner *runner);
static Next step_get(Runner *runner);
static Next step_prove(Runner *runner);
static Next step_erase(Runner *runner);
static Next step_get_picture(Runner *runner);
static Next step_put_picture(Runner *runner);
static Next step_prove_picture(Runner *runner);
static bool take_file(ArchiveErrand *errand);
static bool take_proof(ArchiveErrand *errand);
static bool take_picture(ArchiveErrand *errand);
static bool take_proof_of_picture(ArchiveErrand *errand);
static void begin_stage(ArchiveErrand *errand);

static const Stage put_stages[] = {
	{false, step_put, NULL},
	{false, step_prove, take_proof},
	{false, NULL, NULL}
};

static const Stage get_stages[] = {
	{false, step_get, take_file},
	{false, NULL, NULL}
};

static const Stage erase_stages[] = {
	{false, step_erase, NULL},
	{false, NULL, NULL}
};

static const Stage copy_stages[] = {
	{true, step_get_picture, take_picture},
	{false, step_put, NULL},
	{false, step_prove, take_proof},
	{false, NULL, NULL}
};

static const Stage return_stages[] = {
	{false, step_get, take_file},
	{true, step_put_picture, NULL},
	{true, step_prove_picture, take_proof_of_picture},
	{false, NULL, NULL}
};

static const Kind kinds[] = {
	{"archive_put", put_stages,.has_payload = true,.gives_facts = true},
	{"archive_get", get_stages,.gives_content = true,.gives_facts = true},
	{"archive_erase", erase_stages,.has_payload = false},
	{"archive_copy", copy_stages,.is_raw = true,.gives_facts = true},
	{"archive_return", return_stages,.is_raw = true,.gives_facts = true},
};

static const Kind *
find_kind(const char *name)
{
	size_t		i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	return NULL;
}

bool
archive_is_meant(const char *kind)
{
	return find_kind(kind) != NULL;
}

/* ---- its life ---- */

static void
forget(Picture *picture)
{
	free(picture->bytes);
	memset(picture, 0, sizeof(*picture));
}

static void
leave(ArchiveErrand *errand)
{
	if (errand->previous != NULL)
		errand->previous->next = errand->next;
	else
		first = errand->next;
	if (errand->next != NULL)
		errand->next->previous = errand->previous;
	exchange_clear_reply(&errand->runner.x);
	forget(&errand->stored);
	forget(&errand->content);
	forget(&errand->proof);
	budget_release(&errand->share);
	arena_destroy(errand->arena);
}

static void
count_bytes(ArchiveErrand *errand)
{
	budget_keep(&errand->share, errand->stored.len + errand->content.len +
				errand->proof.len);
}

/* What is in the file. */
static Picture *
content_of(ArchiveErrand *errand)
{
	return errand->is_raw ? &errand->stored : &errand->content;
}

/*
 * Absent is only what was to be read.  What was put and is not there when it
 * is read back is no loss of who has it still.
 */
static bool
is_absent(const ArchiveErrand *errand, const Fault *fault)
{
	return fault->is_missing && errand->stage == errand->kind->stages;
}

static void
answer_failure(const ArchiveErrand *errand, const Fault *fault)
{
	Text		text = {NULL, 0, 0};

	text_add(&text, "{\"error\":");
	text_add_string(&text, fault->message, FAULT_MESSAGE_MAX);
	if (is_absent(errand, fault))
		text_add(&text, ",\"is_absent\":true");
	if (errand->is_damaged)
		text_add(&text, ",\"is_damaged\":true");
	text_add(&text, "}");
	link_send_text(FRAME_ERRAND_DONE, errand->tag, false, text.bytes,
				   text.len);
	free(text.bytes);
}

static void
add_file(Text *text, const char *size, const char *hash, size_t len,
		 const char *sha256)
{
	text_add(text, ",\"");
	text_add(text, size);
	text_add(text, "\":");
	text_add_number(text, (long long) len);
	text_add(text, ",\"");
	text_add(text, hash);
	text_add(text, "\":\"");
	text_add(text, sha256);
	text_add(text, "\"");
}

static void
answer_success(ArchiveErrand *errand)
{
	const Kind *kind = errand->kind;
	Picture    *content = content_of(errand);
	char		content_sha256[HASH_HEX_SIZE] = "";
	Text		text = {NULL, 0, 0};

	hash_hex(content->bytes, content->len, content_sha256);
	text_add(&text, "{\"name\":");
	text_add_string(&text, errand->name, ARCHIVE_NAME_MAX);
	if (kind->gives_facts)
	{
		add_file(&text, "bytes", "sha256", errand->stored.len,
				 errand->stored_sha256);
		add_file(&text, "content_bytes", "content_sha256", content->len,
				 content_sha256);
	}
	text_add(&text, "}");
	link_send_payload(FRAME_ERRAND_DONE, errand->tag, true, text.bytes,
					  text.len, kind->gives_content ? content : NULL);
	free(text.bytes);
}

static void
fail(ArchiveErrand *errand)
{
	POINT("archive-errand-ended");
	answer_failure(errand, &errand->runner.x.fault);
	leave(errand);
}

/* False, for "return refuse(...)" of what looks at a result. */
static bool
refuse(ArchiveErrand *errand, const char *problem)
{
	exchange_fail(&errand->runner.x, FAULT_STORE_DOWN, problem);
	return false;
}

/* ---- stages ---- */

static void
stage_ended(Runner *runner, Next next)
{
	ArchiveErrand *errand = runner->owner;
	const Stage *stage = errand->stage;

	POINT("archive-stage-ended");
	exchange_clear_reply(&runner->x);
	if (next != NEXT_DONE || (stage->take != NULL && !stage->take(errand)))
	{
		fail(errand);
		return;
	}
	count_bytes(errand);
	errand->stage++;
	begin_stage(errand);
}

static void
begin_stage(ArchiveErrand *errand)
{
	Runner	   *runner = &errand->runner;
	const Stage *stage = errand->stage;
	const char *problem;

	if (stage->step == NULL)
	{
		POINT("archive-errand-ended");
		answer_success(errand);
		leave(errand);
		return;
	}
	/* the settings may be others than at the stage before */
	if (stage->is_in_store)
		problem = stores_problem(errand->store);
	else
		errand->archive = stores_archive(&problem);
	if (problem != NULL)
	{
		refuse(errand, problem);
		fail(errand);
		return;
	}
	if (stage->is_in_store)
		stores_prepare(errand->store, &runner->x);
	else
		stores_prepare_archive(&runner->x);
	runner->ranges = stores_ranges(&runner->range_count);
	runner->deadline = loop_now() + STAGE_TIMEOUT_MS;
	runner->step = stage->step;
	runner_start(runner);
}

static Next
step_put(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->archive->put(&runner->x, errand->path, &errand->stored,
								errand->stored_sha256);
}

static Next
step_get(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->archive->get(&runner->x, errand->path, &errand->stored);
}

static Next
step_prove(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->archive->get(&runner->x, errand->path, &errand->proof);
}

static Next
step_erase(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->archive->erase(&runner->x, errand->path);
}

static Next
step_get_picture(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->store->get(&runner->x, errand->location, &errand->stored);
}

static Next
step_put_picture(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->store->put_at(&runner->x, errand->location,
								 &errand->stored, errand->stored_sha256);
}

static Next
step_prove_picture(Runner *runner)
{
	ArchiveErrand *errand = runner->owner;

	return errand->store->get(&runner->x, errand->location, &errand->proof);
}

/* ---- what is made of their results ---- */

static bool
is_same(const Picture *one, const Picture *other)
{
	return one->len == other->len &&
		(one->len == 0 || memcmp(one->bytes, other->bytes, one->len) == 0);
}

static bool
hash_stored(ArchiveErrand *errand)
{
	return hash_hex(errand->stored.bytes, errand->stored.len,
					errand->stored_sha256) ||
		refuse(errand, "the file could not be hashed");
}

static bool
take_file(ArchiveErrand *errand)
{
	Exchange   *x = &errand->runner.x;
	const char *problem;

	if (!hash_stored(errand))
		return false;
	if (errand->wanted_sha256 != NULL &&
		strcmp(errand->wanted_sha256, errand->stored_sha256) != 0)
	{
		errand->is_damaged = true;
		return refuse(errand, "the file in the archive is damaged: it has "
					  "another hash than when it was put there");
	}
	if (errand->is_raw)
		return true;
	problem = compression_unpack(&errand->stored, FRAME_MAX_PICTURE,
								 &errand->content);
	if (problem == NULL)
		return true;
	errand->is_damaged = true;
	return refuse(errand, arena_printf(x->arena, "the file in the archive is "
									   "damaged: %s", problem));
}

static bool
take_picture(ArchiveErrand *errand)
{
	return hash_stored(errand);
}

/* Not only what was stored: whoever reads it later will have to unpack it. */
static bool
take_proof(ArchiveErrand *errand)
{
	Picture		content;
	bool		ok = is_same(&errand->proof, &errand->stored);

	if (ok && !errand->is_raw)
	{
		ok = compression_unpack(&errand->proof, FRAME_MAX_PICTURE,
								&content) == NULL &&
			is_same(&content, &errand->content);
		forget(&content);
	}
	forget(&errand->proof);
	return ok || refuse(errand, "what was read back from the archive is not "
						"what was put there");
}

static bool
take_proof_of_picture(ArchiveErrand *errand)
{
	bool		ok = is_same(&errand->proof, &errand->stored);

	forget(&errand->proof);
	return ok || refuse(errand, "what was read back from the image store is "
						"not what was put there");
}

/* ---- its beginning ---- */

static bool
take_payload(ArchiveErrand *errand, const uint8_t *payload, size_t len)
{
	Picture    *content = content_of(errand);

	if (len == 0)
		return refuse(errand, "there is nothing to put into the archive");
	content->bytes = malloc(len);
	if (content->bytes == NULL)
		abort();
	memcpy(content->bytes, payload, len);
	content->len = len;
	if (!errand->is_raw &&
		!compression_pack(&errand->content, &errand->stored))
		return refuse(errand, "the file could not be compressed");
	return hash_stored(errand);
}

/* A copy, since the errand's JSON does not live as long. */
static const char *
read_text(ArchiveErrand *errand, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? arena_strdup(errand->arena, text) : NULL;
}

/* Whether an image store has part in it, and can. */
static bool
read_store(ArchiveErrand *errand, const json_t *object)
{
	const char *store = read_text(errand, object, "store");
	const Stage *stage;
	bool		needs_store = false;

	for (stage = errand->kind->stages; stage->step != NULL; stage++)
		needs_store |= stage->is_in_store;
	if (!needs_store)
		return true;
	errand->location = read_text(errand, object, "location");
	if (store == NULL || errand->location == NULL ||
		(errand->store = store_find(store)) == NULL)
		return refuse(errand, "the errand could not be read");
	if (errand->store->get == NULL || errand->store->put_at == NULL)
		return refuse(errand, "the store cannot do that");
	return true;
}

/* False with x.fault set. */
static bool
read_errand(ArchiveErrand *errand, const json_t *object)
{
	const char *problem;

	errand->name = read_text(errand, object, "name");
	errand->wanted_sha256 = read_text(errand, object, "sha256");
	errand->is_raw = errand->kind->is_raw ||
		json_is_true(json_object_get(object, "is_raw"));
	if (errand->name == NULL)
		return refuse(errand, "the errand could not be read");
	if (stores_archive(&problem) == NULL)
		return refuse(errand, problem);
	stores_prepare_archive(&errand->runner.x);
	errand->path = archive_name(errand->arena, errand->runner.x.settings,
								errand->name);
	if (errand->path == NULL)
		return refuse(errand, "this is no name in the archive");
	return read_store(errand, object);
}

void
archive_receive(uint64_t tag, json_t *object, const uint8_t *payload,
				size_t payload_len)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	Arena	   *arena = arena_create();
	ArchiveErrand *errand = arena_alloc(arena, sizeof(ArchiveErrand));

	errand->tag = tag;
	errand->arena = arena;
	errand->kind = find_kind(kind);
	errand->stage = errand->kind->stages;
	errand->runner.owner = errand;
	errand->runner.ended = stage_ended;
	errand->runner.share = &errand->share;
	errand->runner.x.arena = arena;
	errand->next = first;
	if (first != NULL)
		first->previous = errand;
	first = errand;

	if (!read_errand(errand, object) ||
		(errand->kind->has_payload &&
		 !take_payload(errand, payload, payload_len)))
	{
		fail(errand);
		return;
	}
	count_bytes(errand);
	begin_stage(errand);
}

void
archive_stop(void)
{
	while (first != NULL)
	{
		runner_abort(&first->runner);
		leave(first);
	}
}
