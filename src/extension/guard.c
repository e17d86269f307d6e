/*-------------------------------------------------------------------------
 *
 * guard.c
 *		Keeps users' keys out of the server's log and statistics.
 *
 * A statement that carries a key is "armed": nothing of its text, parameters
 * or plan is written to the log, shown in pg_stat_activity or counted by
 * pg_stat_statements until the client's next message, because durations are
 * logged after the commit.  Of every other statement only what looks like a
 * key is withheld, so that a comment with a key in it does not let its author
 * vanish from the log.
 *
 * All that is logged passes emit_log_hook last, whoever wrote it (the server,
 * auto_explain, pgaudit) and in whatever order libraries were loaded.  That
 * hook sees an error before the client does, and the client, who sent the
 * key, is to see it unchanged; so the server's log gets another message in
 * place of that one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "commands/prepare.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/analyze.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/backend_status.h"
#include "utils/catcache.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "guard.h"
#include "guard_text.h"

/* How much of a message is withheld. */
typedef enum Verdict
{
	VERDICT_NOTHING,
	VERDICT_TOKENS,
	VERDICT_ALL
} Verdict;

static post_parse_analyze_hook_type previous_post_parse_analyze = NULL;
static ExecutorStart_hook_type previous_executor_start = NULL;
static ExecutorRun_hook_type previous_executor_run = NULL;
static ProcessUtility_hook_type previous_process_utility = NULL;
static emit_log_hook_type previous_emit_log = NULL;

/*
 * A message of the client is known by the moment it came; these are of the
 * last one that was armed, and of the last one whose activity was looked at,
 * with what its text said.
 */
static TimestampTz armed_message = 0;
static TimestampTz covered_message = 0;
static Verdict covered_verdict;

/* The message that the log is to have instead of another, while it is made. */
static ErrorData *replaced = NULL;
static Verdict replaced_verdict;

/* Guarded functions, in TopMemoryContext. */
static List *guarded_functions = NIL;
static bool guarded_are_known = false;

/* ---- which functions */

static void
forget_functions(Datum arg, int cache, uint32 hash)
{
	guarded_are_known = false;
}

/*
 * Those of one name: in every schema, since a wrapper of ours in the schema
 * that PostgREST shows often has our name; or in one schema.
 */
static List *
functions_named(List *found, const char *name, const char *schema)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(name));
	Oid			namespace = schema ? get_namespace_oid(schema, true) :
	InvalidOid;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc function =
		(Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (schema == NULL || function->pronamespace == namespace)
			found = lappend_oid(found, function->oid);
	}
	ReleaseCatCacheList(list);
	return found;
}

static void
find_functions(void)
{
	static bool callback_is_registered = false;
	MemoryContext previous = MemoryContextSwitchTo(TopMemoryContext);

	if (!callback_is_registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, forget_functions, (Datum) 0);
		callback_is_registered = true;
	}
	list_free(guarded_functions);
	guarded_functions = NIL;

	/* first, so that a change in the meantime is not lost */
	guarded_are_known = true;
	guarded_functions = functions_named(guarded_functions, "bambi_add_key",
										NULL);
	guarded_functions = functions_named(guarded_functions,
										"bambi_replace_key", NULL);
	guarded_functions = functions_named(guarded_functions, "add_key",
										"bambi_internal");
	guarded_functions = functions_named(guarded_functions, "replace_key",
										"bambi_internal");
	MemoryContextSwitchTo(previous);
}

static bool
is_guarded_function(Oid function)
{
	if (function < FirstNormalObjectId)
		return false;
	if (!guarded_are_known)
		find_functions();
	return list_member_oid(guarded_functions, function);
}

/* ---- which statements */

static bool calls_guarded(Node *node, void *context);

static bool
prepared_calls_guarded(const char *name)
{
	PreparedStatement *prepared = FetchPreparedStatement(name, false);

	return prepared != NULL &&
		(bambi_text_calls_guarded(prepared->plansource->query_string) ||
		 calls_guarded((Node *) prepared->plansource->query_list, NULL));
}

/* What a command has been analysed of; the rest is analysed when it runs. */
static bool
utility_calls_guarded(Node *command)
{
	switch (nodeTag(command))
	{
		case T_ExplainStmt:
			return calls_guarded(((ExplainStmt *) command)->query, NULL);
		case T_CreateTableAsStmt:
			return calls_guarded(((CreateTableAsStmt *) command)->query, NULL);
		case T_DeclareCursorStmt:
			return calls_guarded(((DeclareCursorStmt *) command)->query, NULL);
		case T_CallStmt:
			return calls_guarded((Node *) ((CallStmt *) command)->funcexpr,
								 NULL);
		case T_ExecuteStmt:
			return prepared_calls_guarded(((ExecuteStmt *) command)->name);
		default:
			return false;
	}
}

static bool
calls_guarded(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) &&
		is_guarded_function(((FuncExpr *) node)->funcid))
		return true;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;

		if (query->commandType == CMD_UTILITY)
			return utility_calls_guarded(query->utilityStmt);
		return query_tree_walker(query, calls_guarded, context, 0);
	}
	return expression_tree_walker(node, calls_guarded, context);
}

/* ---- what others see of a running statement */

/* As palloc and strdup, without tokens; NULL if memory is short. */
static char *
clean_copy(const char *text)
{
	Size		size;
	char	   *copy;

	if (text == NULL)
		return NULL;
	size = strlen(text) + 1;
	copy = MemoryContextAllocExtended(CurrentMemoryContext, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (copy == NULL)
		return NULL;
	memcpy(copy, text, size);
	bambi_text_withhold_tokens(copy);
	return copy;
}

static void
free_copy(const char *copy)
{
	if (copy)
		pfree(unconstify(char *, copy));
}

/*
 * Copies of the key stay in this process's memory, where no extension reaches
 * them: in the message, the parsed statement, its parameters.  So it leaves
 * no core file, from now on.
 */
static void
forbid_core(void)
{
	static bool is_forbidden = false;
	struct rlimit limit;

	if (is_forbidden)
		return;
	is_forbidden = true;
	if (getrlimit(RLIMIT_CORE, &limit) == 0)
	{
		limit.rlim_cur = 0;
		(void) setrlimit(RLIMIT_CORE, &limit);
	}
#ifdef __linux__
	/* a core that goes into a pipe knows no limit */
	(void) prctl(PR_SET_DUMPABLE, 0);
#endif
}

static bool
is_armed(void)
{
	/* what is logged at the end of a session is not of its last statement */
	return armed_message != 0 && !proc_exit_inprogress &&
		armed_message == GetCurrentStatementStartTimestamp();
}

void
bambi_guard_arm(void)
{
	if (is_armed())
		return;
	armed_message = GetCurrentStatementStartTimestamp();
	covered_message = armed_message;
	pgstat_report_activity(STATE_RUNNING, BAMBI_WITHHELD);
	forbid_core();
}

static Verdict
verdict_on_text(const char *text)
{
	if (bambi_text_calls_guarded(text))
		return VERDICT_ALL;
	return bambi_text_has_token(text) ? VERDICT_TOKENS : VERDICT_NOTHING;
}

/*
 * Takes the text of the client's message out of pg_stat_activity, as far as
 * it must be.  The server puts it there whenever a message comes: for one
 * statement at Parse, at Bind and at Execute.  Looks at the text alone, and
 * raises nothing, so that it may be called when everything has failed; then
 * the text is only where it is shown, perhaps cut short.
 */
static void
cover_activity(void)
{
	TimestampTz message = GetCurrentStatementStartTimestamp();
	const char *text = debug_query_string;
	char	   *copy;

	if (text == NULL && MyBEEntry != NULL)
		text = MyBEEntry->st_activity_raw;

	if (text == NULL || message == covered_message)
		return;
	covered_message = message;
	covered_verdict = verdict_on_text(text);
	if (covered_verdict == VERDICT_ALL)
		bambi_guard_arm();
	else if (covered_verdict == VERDICT_TOKENS)
	{
		copy = clean_copy(text);
		pgstat_report_activity(STATE_RUNNING, copy ? copy : BAMBI_WITHHELD);
		free_copy(copy);
	}
}

/*
 * The query identifier is taken away before others can use it, too: for
 * pg_stat_statements a previous hook is the moment to store the text, with
 * its comments.
 */
static void
post_parse_analyze(ParseState *parse, Query *query, JumbleState *jumble)
{
	Verdict		verdict;
	bool		is_withheld;

	cover_activity();
	verdict = parse->p_sourcetext == debug_query_string ? covered_verdict :
		verdict_on_text(parse->p_sourcetext);
	if (verdict == VERDICT_ALL || calls_guarded((Node *) query, NULL))
		bambi_guard_arm();
	is_withheld = is_armed() || verdict == VERDICT_TOKENS;

	if (is_withheld)
		query->queryId = UINT64CONST(0);
	if (previous_post_parse_analyze)
		previous_post_parse_analyze(parse, query, jumble);
	if (is_withheld)
		query->queryId = UINT64CONST(0);
}

static void
executor_start(QueryDesc *query, int flags)
{
	cover_activity();
	if (previous_executor_start)
		previous_executor_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

static void
executor_run(QueryDesc *query, ScanDirection direction, uint64 count,
			 bool execute_once)
{
	cover_activity();
	if (previous_executor_run)
		previous_executor_run(query, direction, count, execute_once);
	else
		standard_ExecutorRun(query, direction, count, execute_once);
}

static void
process_utility(PlannedStmt * statement, const char *text,
				bool is_read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment * environment,
				DestReceiver *destination, QueryCompletion * completion)
{
	cover_activity();
	if (previous_process_utility)
		previous_process_utility(statement, text, is_read_only_tree, context,
								 params, environment, destination, completion);
	else
		standard_ProcessUtility(statement, text, is_read_only_tree, context,
								params, environment, destination, completion);
}

/* A statement that could not be parsed comes to none of these hooks. */
static void
at_end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		cover_activity();
}

/* ---- what is logged */

static bool
text_calls_guarded(const char *text)
{
	return text !=NULL && bambi_text_calls_guarded(text);
}

static bool
text_has_token(const char *text)
{
	return text !=NULL && bambi_text_has_token(text);
}

/* The statement may be in the message as it is; then it is known. */
static bool
message_calls_guarded(const ErrorData *error)
{
	if (error->message && debug_query_string &&
		strstr(error->message, debug_query_string) != NULL)
		return false;
	return text_calls_guarded(error->message);
}

static Verdict
judge(const ErrorData *error)
{
	if (is_armed() ||
		text_calls_guarded(debug_query_string) ||
		message_calls_guarded(error) ||
		text_calls_guarded(error->detail) ||
		text_calls_guarded(error->detail_log) ||
		text_calls_guarded(error->context) ||
		text_calls_guarded(error->internalquery))
		return VERDICT_ALL;
	if (text_has_token(error->message) ||
		text_has_token(error->detail) ||
		text_has_token(error->detail_log) ||
		text_has_token(error->hint) ||
		text_has_token(error->context) ||
		text_has_token(error->internalquery) ||
		(!error->hide_stmt && text_has_token(debug_query_string)) ||
		(error->detail && bambi_text_has_token_bytes(error->detail)))
		return VERDICT_TOKENS;
	return VERDICT_NOTHING;
}

/* What there is to know of a message that is withheld: no text of anybody. */
static char *
withheld_message(const ErrorData *error)
{
	char text[	128] = BAMBI_WITHHELD;
	int			length = 0;
	Size		size;
	char	   *copy;

	/* "duration: 1.234 ms" is the server's own */
	if (error->message &&
		sscanf(error->message, "duration: %*[0-9.] ms%n", &length) == 0 &&
		length > 0 && length < 64)
		snprintf(text, sizeof(text), "%.*s  %s", length, error->message,
				 BAMBI_WITHHELD);
	else if (error->sqlerrcode != 0)
		snprintf(text, sizeof(text), "%s, SQLSTATE %s", BAMBI_WITHHELD,
				 unpack_sql_state(error->sqlerrcode));

	size = strlen(text) + 1;
	copy = MemoryContextAllocExtended(CurrentMemoryContext, size,
									  MCXT_ALLOC_NO_OOM);
	if (copy)
		memcpy(copy, text, size);
	return copy;
}

/*
 * Fills in what the log may have of a message.  All strings are the palloc'ed
 * ones that errfinish frees; without memory they are missing.
 */
static void
fill_in(ErrorData *shown, const ErrorData *error, Verdict verdict)
{
	shown->elevel = error->elevel;
	shown->sqlerrcode = error->sqlerrcode;
	if (verdict == VERDICT_ALL)
	{
		shown->message = withheld_message(error);
		shown->detail = NULL;
		shown->detail_log = NULL;
		shown->hint = NULL;
		shown->context = NULL;
		shown->internalquery = NULL;
		shown->hide_stmt = true;
		return;
	}
	shown->message = clean_copy(error->message);
	/* a tree with a key in it has it as a list of bytes */
	shown->detail =
		error->detail && bambi_text_has_token_bytes(error->detail) ?
		NULL : clean_copy(error->detail);
	shown->detail_log = clean_copy(error->detail_log);
	shown->hint = clean_copy(error->hint);
	shown->context = clean_copy(error->context);
	shown->internalquery = clean_copy(error->internalquery);
	shown->internalpos = error->internalpos;
	shown->hide_ctx = error->hide_ctx;
	shown->hide_stmt = error->hide_stmt;
}

/*
 * Logs a message in place of that one, of the same level; emit_log() fills it
 * in.  False if the log would not take it.
 */
static bool
log_instead(ErrorData *error, Verdict verdict)
{
	ErrorContextCallback *callbacks = error_context_stack;
	const char *statement = debug_query_string;
	char	   *clean = NULL;
	bool		is_logged;

	if (verdict == VERDICT_TOKENS)
		clean = clean_copy(statement);

	/* at its end errfinish looks for interrupts, which raise */
	HOLD_INTERRUPTS();
	replaced = error;
	replaced_verdict = verdict;
	error_context_stack = NULL;
	debug_query_string = clean;

	is_logged = errstart(LOG_SERVER_ONLY, error->domain);
	if (is_logged)
		errfinish(error->filename, error->lineno, error->funcname);

	debug_query_string = statement;
	error_context_stack = callbacks;
	replaced = NULL;
	RESUME_INTERRUPTS();
	free_copy(clean);
	return is_logged;
}

static void
emit_log(ErrorData *error)
{
	Verdict		verdict;

	if (replaced != NULL)
	{
		ErrorData  *original = replaced;

		/* whatever else is logged meanwhile is not this message */
		replaced = NULL;
		fill_in(error, original, replaced_verdict);
	}
	else
	{
		if (error->elevel >= ERROR)
			cover_activity();
		verdict = judge(error);
		if (verdict != VERDICT_NOTHING)
		{
			if (log_instead(error, verdict))
				error->output_to_server = false;
			else
				fill_in(error, error, VERDICT_ALL);
		}
	}
	if (error->output_to_server && previous_emit_log)
		previous_emit_log(error);
}

void
bambi_guard_install(void)
{
	previous_post_parse_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = post_parse_analyze;
	previous_executor_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	previous_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = executor_run;
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	previous_emit_log = emit_log_hook;
	emit_log_hook = emit_log;
	RegisterXactCallback(at_end_of_transaction, NULL);
}
