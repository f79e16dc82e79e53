-- Who changed money and plans. Each line holds the hash of the line before it: one that is altered, taken out or put in
-- between breaks the chain. The newest hash stands in audit_head as well; noted elsewhere, it proves the end of the chain.

CREATE TABLE audit (
  number bigint NOT NULL,
  at timestamptz NOT NULL,
  -- An opaque id, or the name of a service.
  actor text NOT NULL,
  action text NOT NULL,
  subject text NOT NULL,
  details jsonb NOT NULL,
  previous bytea NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT audit_pkey PRIMARY KEY (number, at)
) PARTITION BY RANGE (at);

CREATE TABLE audit_head (
  only_one boolean NOT NULL DEFAULT true,
  number bigint NOT NULL,
  hash bytea NOT NULL,
  CONSTRAINT audit_head_pkey PRIMARY KEY (only_one),
  CONSTRAINT audit_head_only_one CHECK (only_one)
);
INSERT INTO audit_head (number, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION audit_hash(
  previous bytea, number bigint, at timestamptz, actor text, action text, subject text, details jsonb
) RETURNS bytea LANGUAGE sql STABLE AS $$
  -- An array of JSON frames the parts: none can be moved into its neighbour. Microseconds, so no time zone matters.
  SELECT sha256(previous || convert_to(
    jsonb_build_array(number, (extract(epoch FROM at) * 1000000)::bigint, actor, action, subject, details)::text, 'UTF8'))
$$;

-- The head's row is locked until the transaction of the effect ends, so lines have the order of commits: append last.
CREATE FUNCTION audit_append(at timestamptz, actor text, action text, subject text, details jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
  head audit_head;
  next_number bigint;
  next_hash bytea;
BEGIN
  PERFORM make_month('audit', (at AT TIME ZONE 'UTC')::date);
  SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
  next_number := head.number + 1;
  next_hash := audit_hash(head.hash, next_number, at, actor, action, subject, details);
  INSERT INTO audit (number, at, actor, action, subject, details, previous, hash)
  VALUES (next_number, at, actor, action, subject, details, head.hash, next_hash);
  UPDATE audit_head SET number = next_number, hash = next_hash;
  RETURN next_number;
END $$;

-- Walks the whole chain. broken_at is the first line that does not fit: its own hash, its link, or a gap before it; one
-- past the last line when the end is missing.
CREATE FUNCTION audit_verify() RETURNS TABLE (first_line bigint, last_line bigint, broken_at bigint, head bytea)
LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $$
  WITH walked AS (
    SELECT a.number,
      a.hash = audit_hash(a.previous, a.number, a.at, a.actor, a.action, a.subject, a.details)
        AND a.previous = coalesce(
          lag(a.hash) OVER w, CASE WHEN a.number = 1 THEN decode(repeat('00', 32), 'hex') ELSE a.previous END)
        AND a.number = coalesce(lag(a.number) OVER w + 1, a.number) AS fits,
      a.hash
    FROM audit AS a WINDOW w AS (ORDER BY a.number)
  ), summary AS (
    SELECT coalesce(min(number), 0) AS first_line, coalesce(max(number), 0) AS last_line,
      min(number) FILTER (WHERE NOT fits) AS broken_at,
      (SELECT hash FROM walked ORDER BY number DESC LIMIT 1) AS last_hash
    FROM walked
  )
  SELECT s.first_line, s.last_line,
    coalesce(
      s.broken_at,
      CASE WHEN s.last_line <> h.number OR (s.last_line > 0 AND s.last_hash <> h.hash) THEN s.last_line + 1 END),
    h.hash
  FROM summary AS s, audit_head AS h
$$;

CREATE TRIGGER audit_immutable BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_not_emptied BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit, audit_head FROM {role};
REVOKE ALL ON FUNCTION audit_append(timestamptz, text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_append(timestamptz, text, text, text, jsonb) TO {role};
