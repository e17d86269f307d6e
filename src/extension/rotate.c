/*-------------------------------------------------------------------------
 *
 * rotate.c
 *		A new master key: when somebody asks for it, and by the calendar.
 *
 * The courier has the key service make a version, opens it anew, and tells of
 * the key as of any other: what follows, follows from that.  So whoever dies
 * in between leaves a version that is found at the next opening, and nothing
 * else to be done.  The calendar asks only after the courier has told which
 * key there is: it may be younger than the one in the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "agenda.h"
#include "ask.h"
#include "document.h"
#include "rotate.h"
#include "settings.h"
#include "statements_rotation.h"
#include "transaction.h"

/* A large key takes its service seconds to make. */
#define PATIENCE_MS		(40 * 1000)

/* After the service was down. */
#define AGAIN_MS		(60 * 60 * 1000)

PG_FUNCTION_INFO_V1(bambi_ask_rotation);

static bool key_is_known = false;
static bool is_wanted = false;
static TimestampTz asked_at = 0;	/* while the courier has it */
static uint64 sequence = 0;
static uint64 asked_tag;
static text *answer = NULL;

/* ---- for a session ---- */

/* No arguments.  Gives the name of the new key. */
Datum
bambi_ask_rotation(PG_FUNCTION_ARGS)
{
	bool		is_done;
	char	   *reply = bambi_ask_courier("{\"kind\":\"rotate\"}", PATIENCE_MS,
										  &is_done);
	JsonbContainer *object = &bambi_document_parse(reply)->root;
	char	   *kid = bambi_document_string(object, "kid");
	char	   *error = bambi_document_string(object, "error");
	char	   *how = bambi_document_string(object, "how");

	if (is_done && kid)
		PG_RETURN_TEXT_P(cstring_to_text(kid));
	if (how)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this key service makes no new versions of a key"),
				 errhint("%s", how)));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the master key could not be rotated"),
			 errdetail("%s.", error ? error : "The courier gave no reason"),
			 errhint("If the key service made a version all the same, the courier finds it within 300 s.")));
}

/* ---- for the worker ---- */

void
bambi_rotation_look(TimestampTz now)
{
	TimestampTz due;
	bool		is_null;

	is_wanted = false;
	if (bambi_key_rotation_days == 0 ||
		bambi_execute(&bambi_rotation_age, NULL, NULL) == 0)
		return;
	due = DatumGetTimestampTz(bambi_result(0, 2, &is_null)) +
		bambi_key_rotation_days * USECS_PER_DAY;
	if (due <= now)
		is_wanted = true;
	else
		sooner(&bambi_agenda.maintain_at, due);
}

static void
note_answer(TimestampTz now)
{
	Datum		values[] = {
		TimestampTzGetDatum(asked_at), PointerGetDatum(answer)
	};
	bool		is_null;
	char	   *how;

	bambi_execute(&bambi_rotation_note, values, NULL);
	how = bambi_result_text(0, 3);
	if (DatumGetBool(bambi_result(0, 1, &is_null)))
		ereport(WARNING,
				(errmsg("the master key of bambi is older than bambi.key_rotation_days, and could not be rotated: %s",
						bambi_result_text(0, 2)),
				 how ? errhint("%s", how) : 0));
	if (how == NULL && bambi_result_text(0, 2) != NULL)
		sooner(&bambi_agenda.maintain_at, in_ms(now, AGAIN_MS));
}

void
bambi_rotation_run(TimestampTz now)
{
	FrameHead	head = {.type = FRAME_ERRAND};

	if (answer)
	{
		(void) bambi_in_transaction(note_answer, now);
		pfree(answer);
		answer = NULL;
		asked_at = 0;
	}
	if (!is_wanted || !key_is_known || asked_at != 0 ||
		bambi_agenda.is_paused || !bambi_courier_is_there())
		return;
	is_wanted = false;
	asked_at = now;
	asked_tag = (++sequence << 16) | BAMBI_ROTATE_TAG;
	head.tag = asked_tag;
	bambi_courier_append(&head, NULL, "{\"kind\":\"rotate\"}");
}

void
bambi_rotation_key_is_known(bool is_known)
{
	key_is_known = is_known;
	if (is_known)
		/* a younger one than that which was found old, perhaps */
		sooner(&bambi_agenda.maintain_at, GetCurrentTimestamp());
	else
		asked_at = 0;
	is_wanted = false;
}

void
bambi_rotation_answered(BambiFrame *frame)
{
	if (frame->head.tag != asked_tag || asked_at == 0 || answer ||
		frame->json == NULL)
		return;
	answer = frame->json;
	frame->json = NULL;
}
