-- The entries that accepted and retired cosigners, by place: with sender and uid anybody may fetch their receipts. Nothing of any
-- other entry is told. Run as plumb_owner.
GRANT CREATE ON SCHEMA ops TO plumb_definer;
SET ROLE plumb_definer;

CREATE FUNCTION ops.cosigner_entries(places bigint[]) RETURNS TABLE (idx bigint, sender text, uid text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cardinality(places) > 500 THEN
        RAISE EXCEPTION 'at most 500 places' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT e.idx, e.sender, e.uid::text FROM fact.event e
        WHERE e.idx = ANY (places) AND e.kind IN ('cosigner.accepted', 'cosigner.retired');
END $$;

REVOKE ALL ON FUNCTION ops.cosigner_entries(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.cosigner_entries(bigint[]) TO plumb_officer, plumb_institution, plumb_party, plumb_public;
SET ROLE plumb_owner;
REVOKE CREATE ON SCHEMA ops FROM plumb_definer;
