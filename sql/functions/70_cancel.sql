-- Wanting a generation no more, or once more.

CREATE FUNCTION bambi_internal.cancel(id uuid)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- changes the queue
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_cancel';
REVOKE ALL ON FUNCTION bambi_internal.cancel(uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.cancel(uuid) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.cancel(uuid) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.cancel(uuid) IS
    'What bambi_cancel calls.';

CREATE FUNCTION @extschema@.bambi_cancel(id uuid)
RETURNS text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.cancel($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_cancel(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_cancel(uuid) TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_cancel(uuid) IS
    'Cancels a generation of yours, and gives the status that it has then.
"cancelled": it was queued or held, is not sent (one that was held: not '
    'again), and does not count. "running": the worker has it already; it is '
    'aborted if nothing was sent yet, and otherwise runs to its end, because '
    'aborting would not stop the bill. "failed": it was uncertain and is '
    'written off: it does not count, the estimated cost '
    'stays. Cancelling twice is no error. '
    'Errors: PT401; PT404 "generation does not exist"; PT409 "generation has '
    'already ended"; PT503 "try again later".';

CREATE FUNCTION bambi_internal.retry(id uuid)
RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
-- as above
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'bambi_retry';
REVOKE ALL ON FUNCTION bambi_internal.retry(uuid) FROM PUBLIC;
ALTER FUNCTION bambi_internal.retry(uuid) OWNER TO bambi_owner;
GRANT EXECUTE ON FUNCTION bambi_internal.retry(uuid) TO bambi_user;
COMMENT ON FUNCTION bambi_internal.retry(uuid) IS
    'What bambi_retry calls.';

CREATE FUNCTION @extschema@.bambi_retry(id uuid)
RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT bambi_internal.retry($1);
END;
REVOKE ALL ON FUNCTION @extschema@.bambi_retry(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.bambi_retry(uuid) TO bambi_user;
COMMENT ON FUNCTION @extschema@.bambi_retry(uuid) IS
    'Queues a generation of yours once more, and gives the same id.
For what is failed, uncertain or held. One that is uncertain may have been '
    'charged already, and may then be charged twice: what it may have cost '
    'stays in the books. '
    'Errors: PT401; PT402 as bambi_generate; PT404 "generation '
    'does not exist", "model does not exist"; PT409 "generation cannot be '
    'retried", "prompt was not kept", "no usable key"; PT429 "too many '
    'requests"; PT503 "try again later"; 42501 if the plan does not allow it '
    'any more.';
