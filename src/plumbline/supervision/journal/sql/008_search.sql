-- Search by any code: which object an entry is about, found by the uid of its message or by its place in the log. It says
-- nothing of the object: whoever asks then looks for it in the own role, and a stranger's is as good as none.
GRANT CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

CREATE FUNCTION ops.entry_named(message uuid, place bigint) RETURNS TABLE (entry text, subject text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY (SELECT e.id, e.subject FROM fact.event e WHERE e.uid = message LIMIT 20)
        UNION ALL (SELECT e.id, e.subject FROM fact.event e WHERE e.idx = place LIMIT 20);
END $$;

REVOKE ALL ON FUNCTION ops.entry_named(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.entry_named(uuid, bigint) TO plumb_officer, plumb_institution, plumb_party;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
