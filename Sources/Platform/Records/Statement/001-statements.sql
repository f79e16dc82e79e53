-- The record store. Statements are only ever added, read by person or by tenant, and dropped by age or with their person.

-- On an ordinary sequence: identity columns of partitioned tables came with PostgreSQL 17 only.
CREATE SEQUENCE statement_seq AS bigint CACHE 1;
GRANT USAGE ON SEQUENCE statement_seq TO {role};

CREATE TABLE statement (
  tenant text COLLATE "C" NOT NULL,
  -- Order of arrival within the store. Sequences commit out of order: a gap may fill later.
  seq bigint NOT NULL DEFAULT nextval('statement_seq'),
  id uuid NOT NULL,
  -- The actor. Opaque; nothing here says who that is.
  person uuid NOT NULL,
  verb text COLLATE "C" NOT NULL,
  -- The IRI of the object.
  object text COLLATE "C" NOT NULL,
  -- When it happened; stored: when it came to us.
  timestamp timestamptz NOT NULL,
  stored timestamptz NOT NULL,
  success boolean,
  score double precision,
  -- The xAPI statement, byte for byte as it is given out.
  payload text NOT NULL,
  CONSTRAINT statement_pkey PRIMARY KEY (tenant, seq, stored),
  CONSTRAINT statement_score_scaled CHECK (score BETWEEN -1 AND 1)
) PARTITION BY RANGE (stored);

-- A person's timeline over all tenants, and what export and erasure find her statements by.
CREATE INDEX statement_person_timestamp ON statement (person, timestamp DESC, id DESC);

-- One row per statement id ever taken, over all partitions of time. A row without seq is a tombstone: its statement was
-- erased, or never written because the person was, and the same event must not bring it back.
CREATE TABLE statement_key (
  tenant text COLLATE "C" NOT NULL,
  id uuid NOT NULL,
  seq bigint,
  -- Says which partition holds the statement.
  stored timestamptz NOT NULL,
  CONSTRAINT statement_key_pkey PRIMARY KEY (tenant, id)
) PARTITION BY HASH (tenant, id);

CREATE TABLE statement_key_0 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE statement_key_1 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE statement_key_2 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE statement_key_3 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE statement_key_4 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE statement_key_5 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE statement_key_6 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE statement_key_7 PARTITION OF statement_key FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- Who was erased: an event that was still on its way then is not recorded.
CREATE TABLE erasure (
  person uuid NOT NULL,
  erased timestamptz NOT NULL,
  CONSTRAINT erasure_pkey PRIMARY KEY (person)
);

-- Makes the partitions of some months (UTC) where they are missing; says how many it made.
-- The login role can't create tables; this runs as the owner, and can do nothing but this.
CREATE FUNCTION ensure_partitions(first date, months integer) RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
  month date;
  part text;
  made integer := 0;
BEGIN
  IF months IS NULL OR months NOT BETWEEN 1 AND 24 THEN
    RAISE EXCEPTION 'months: expected 1 to 24' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF first IS NULL OR first NOT BETWEEN DATE '2000-01-01' AND DATE '2199-12-31' THEN
    RAISE EXCEPTION 'first: expected a day from 2000 to 2199' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR i IN 0 .. months - 1 LOOP
    month := (date_trunc('month', first::timestamp) + make_interval(months => i))::date;
    part := to_char(month, '"statement_"YYYYMM');
    CONTINUE WHEN to_regclass('{schema}.' || quote_ident(part)) IS NOT NULL;
    -- One maker at a time; readers and writers go on. CREATE TABLE … PARTITION OF would stop them, so: make, then attach.
    LOCK TABLE {schema}.statement IN SHARE UPDATE EXCLUSIVE MODE;
    CONTINUE WHEN to_regclass('{schema}.' || quote_ident(part)) IS NOT NULL;
    EXECUTE format('CREATE TABLE {schema}.%I (LIKE {schema}.statement INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format(
      'ALTER TABLE {schema}.statement ATTACH PARTITION {schema}.%I FOR VALUES FROM (%L) TO (%L)', part,
      to_char(month, 'YYYY-MM-DD"T00:00:00Z"'), to_char(month + interval '1 month', 'YYYY-MM-DD"T00:00:00Z"'));
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;

REVOKE ALL ON FUNCTION ensure_partitions(date, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(date, integer) TO {role};

SELECT ensure_partitions((now() AT TIME ZONE 'UTC')::date, 3);
