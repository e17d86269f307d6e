/*-------------------------------------------------------------------------
 *
 * keyservice.c
 *		Drives a courier whose key service somebody else plays, a line at a
 *		time: what it reads are commands, what it writes are JSON objects.
 *
 *	settings JSON		sends them; {"kid": ...} or {"error": ...}
 *	key					the next such word of the courier
 *	generate N [KEY]	sends N generations, each with a new key sealed to the
 *						KEY-th master key that was told (the last one)
 *	rotate				a new version of the master key; what the courier answers
 *	reseal N KEY		has N keys, sealed to the KEY-th master key, sealed to
 *						the last one, and sends a generation with each
 *	tamper				one whose wrapped data key was changed
 *	again MS			sends those that wait, until none does or MS are over
 *
 * All but the first three and rotate give {"sent", "succeeded", "waiting", "failed"} of the
 * command, and "code" and "error": what was told last of one that did not
 * succeed, and by the key service.  At its end the program writes the same
 * over all.  The pictures are the sandbox's: a key that opens is a generation
 * that succeeds.
 *
 *-------------------------------------------------------------------------
 */
#include "../unit/driver.h"

#define MAX_KEYS	16
#define MAX_WAITING	200
#define PAUSE_MS	100

#define SANDBOX \
	"{\"user\":\"" DRIVER_USER "\",\"tries\":1,\"provider\":\"sandbox\"," \
	"\"adapter\":\"sandbox\",\"base_url\":\"\",\"networks\":[]," \
	"\"settings\":{},\"model\":\"sandbox\",\"prompt\":\"a fawn\"," \
	"\"parameters\":{\"size\":\"64x64\"},\"store\":\"database\"}"

typedef struct MasterKey
{
	char	   *kid;
	char	   *pem;
} MasterKey;

typedef struct Tally
{
	int			sent;
	int			succeeded;
	int			failed;
} Tally;

static Courier courier;
static MasterKey keys[MAX_KEYS];
static int	key_count;
static char *waiting[MAX_WAITING];	/* sealed keys */
static int	waiting_count;
static uint64_t sequence;		/* of a tag, above the slot */
static Tally total;
static char code[64];
static char error[1024];

static void
put_text(char *out, size_t size, const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	if (text != NULL)
		snprintf(out, size, "%s", text);
}

/* What the courier says of its key service. */
static void
take_sealing_key(const Frame *frame)
{
	json_t	   *json = driver_json(frame);
	const char *kid = json_string_value(json_object_get(json, "kid"));
	const char *pem = json_string_value(json_object_get(json, "public_key"));
	int			i;

	put_text(error, sizeof(error), json, "error");
	if (kid == NULL || pem == NULL)
	{
		json_decref(json);
		return;
	}
	for (i = 0; i < key_count && strcmp(keys[i].kid, kid) != 0; i++)
		;
	if (i == MAX_KEYS)
		driver_die("too many master keys");
	if (i == key_count)
		key_count++;
	else
	{
		free(keys[i].kid);
		free(keys[i].pem);
		memmove(&keys[i], &keys[i + 1],
				(size_t) (key_count - i - 1) * sizeof(MasterKey));
	}
	keys[key_count - 1].kid = strdup(kid);
	keys[key_count - 1].pem = strdup(pem);
	json_decref(json);
}

static void
print_sealing_key(void)
{
	Frame		frame;

	if (!driver_await(courier.fd, FRAME_SEALING_KEY, &frame))
		driver_die("no word of the key service");
	take_sealing_key(&frame);
	printf("%s\n", frame.json);
}

/* A new key of the user, sealed; malloc'ed. */
static char *
seal(int which)
{
	char	   *sealed = malloc(JWE_MAX_COMPACT);

	if (sealed == NULL || which < 0 || which >= key_count ||
		jwe_seal(keys[which].pem, keys[which].kid, DRIVER_USER, "sandbox",
				 (const uint8_t *) DRIVER_KEY, strlen(DRIVER_KEY), sealed,
				 JWE_MAX_COMPACT) != JWE_OK)
		driver_die("jwe_seal");
	return sealed;
}

/* Sends those that wait, and waits for what becomes of each. */
static Tally
send_waiting(void)
{
	Tally		tally = {.sent = waiting_count};
	int			left = waiting_count;
	int			kept = 0;
	Frame		frame;

	sequence++;
	for (int i = 0; i < waiting_count; i++)
		driver_send(&courier, FRAME_JOB, sequence << 16 | (uint64_t) i,
					waiting[i], SANDBOX);
	while (left > 0)
	{
		json_t	   *json;
		char	  **job;

		if (!driver_receive(courier.fd, &frame))
			driver_die("an outcome is missing");
		if (frame.head.type == FRAME_SEALING_KEY)
			take_sealing_key(&frame);
		if (frame.head.type != FRAME_OUTCOME)
			continue;
		left--;
		job = &waiting[frame.head.tag & 0xffff];
		json = driver_json(&frame);
		if (frame.head.status != RESULT_WAIT)
		{
			free(*job);
			*job = NULL;
		}
		if (frame.head.status == RESULT_SUCCEEDED)
			tally.succeeded++;
		else if (frame.head.status != RESULT_WAIT)
			tally.failed++;
		if (frame.head.status != RESULT_SUCCEEDED)
			put_text(code, sizeof(code), json, "code");
		json_decref(json);
		driver_send(&courier, FRAME_TAKEN, frame.head.tag, "", "");
	}
	for (int i = 0; i < tally.sent; i++)
	{
		if (waiting[i] != NULL)
			waiting[kept++] = waiting[i];
	}
	waiting_count = kept;
	total.succeeded += tally.succeeded;
	total.failed += tally.failed;
	return tally;
}

static void
print_tally(const Tally *tally)
{
	json_t	   *json = json_pack("{s:i, s:i, s:i, s:i, s:s, s:s}",
								 "sent", tally->sent,
								 "succeeded", tally->succeeded,
								 "waiting", waiting_count,
								 "failed", tally->failed,
								 "code", code, "error", error);
	char	   *text = json_dumps(json, JSON_COMPACT);

	printf("%s\n", text);
	free(text);
	json_decref(json);
	code[0] = '\0';
	error[0] = '\0';
}

static void
generate(int count, int which)
{
	Tally		tally;

	if (waiting_count + count > MAX_WAITING)
		driver_die("too many generations");
	for (int i = 0; i < count; i++)
		waiting[waiting_count++] = seal(which);
	total.sent += count;
	tally = send_waiting();
	print_tally(&tally);
}

/* The answer to an errand; the caller releases it. */
static json_t *
run_errand(const char *sealed, const char *json)
{
	Frame		frame;

	sequence++;
	driver_send(&courier, FRAME_ERRAND, sequence << 16, sealed, json);
	do
	{
		if (!driver_receive(courier.fd, &frame))
			driver_die("an errand is not answered");
		if (frame.head.type == FRAME_SEALING_KEY)
			take_sealing_key(&frame);
	} while (frame.head.type != FRAME_ERRAND_DONE);
	return driver_json(&frame);
}

static void
rotate(void)
{
	json_t	   *json = run_errand("", "{\"kind\":\"rotate\"}");
	char	   *text = json_dumps(json, JSON_COMPACT);

	printf("%s\n", text);
	free(text);
	json_decref(json);
}

static void
reseal(int count, int which)
{
	char		errand[512];
	Tally		tally;

	if (waiting_count + count > MAX_WAITING)
		driver_die("too many generations");
	snprintf(errand, sizeof(errand), "{\"kind\":\"reseal\",\"user\":\""
			 DRIVER_USER "\",\"provider\":\"sandbox\",\"kid\":\"%s\"}",
			 keys[key_count - 1].kid);
	for (int i = 0; i < count; i++)
	{
		char	   *sealed = seal(which);
		json_t	   *json = run_errand(sealed, errand);
		const char *fresh = json_string_value(json_object_get(json, "key"));

		put_text(error, sizeof(error), json, "error");
		if (fresh != NULL)
			waiting[waiting_count++] = strdup(fresh);
		free(sealed);
		json_decref(json);
	}
	total.sent += waiting_count;
	tally = send_waiting();
	print_tally(&tally);
}

static void
tamper(void)
{
	Tally		tally;
	char	   *wrapped;

	waiting[waiting_count++] = seal(key_count - 1);
	wrapped = strchr(waiting[waiting_count - 1], '.') + 100;
	*wrapped = *wrapped == 'A' ? 'B' : 'A';
	total.sent++;
	tally = send_waiting();
	print_tally(&tally);
}

static void
again(int ms)
{
	Tally		sum = {.sent = waiting_count};

	for (;;)
	{
		Tally		tally = send_waiting();

		sum.succeeded += tally.succeeded;
		sum.failed += tally.failed;
		ms -= PAUSE_MS;
		if (waiting_count == 0 || ms <= 0)
			break;
		driver_sleep(PAUSE_MS);
	}
	print_tally(&sum);
}

int
main(void)
{
	static char line[16 * 1024];

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	courier = driver_start();
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		int			count = 0;
		int			which = -1;

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "settings ", 9) == 0)
		{
			driver_send(&courier, FRAME_SETTINGS, 0, "", line + 9);
			print_sealing_key();
		}
		else if (strcmp(line, "key") == 0)
			print_sealing_key();
		else if (sscanf(line, "generate %d %d", &count, &which) >= 1)
			generate(count, which >= 0 ? which : key_count - 1);
		else if (strcmp(line, "rotate") == 0)
			rotate();
		else if (sscanf(line, "reseal %d %d", &count, &which) == 2)
			reseal(count, which);
		else if (strcmp(line, "tamper") == 0)
			tamper();
		else if (sscanf(line, "again %d", &count) == 1)
			again(count);
		else
			driver_die(line);
	}
	print_tally(&total);
	close(courier.fd);
	driver_wait(&courier);
	driver_clean(&courier);
	return 0;
}
