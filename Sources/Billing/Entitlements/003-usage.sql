-- What persons used of what their plans grant. Partitioned by the month it counts for: old months are dropped whole.

CREATE TABLE usage_counter (
  person uuid NOT NULL,
  -- The allowance drawn from: plan/feature, with @tenant where each tenant has its own.
  pool text NOT NULL,
  -- First day of the civil month, in the city's time zone.
  period date NOT NULL,
  used bigint NOT NULL,
  -- The limit when it was last counted, for the reader of the table; the plan decides.
  allowed bigint NOT NULL,
  CONSTRAINT usage_counter_pkey PRIMARY KEY (person, pool, period),
  CONSTRAINT usage_counter_not_negative CHECK (used >= 0)
) PARTITION BY RANGE (period);

-- One row per unit taken, under the key that makes a repetition free.
CREATE TABLE usage_take (
  person uuid NOT NULL,
  key uuid NOT NULL,
  period date NOT NULL,
  feature text NOT NULL,
  tenant text NOT NULL,
  pool text NOT NULL,
  taken_at timestamptz NOT NULL,
  released_at timestamptz,
  -- The month must be in it, so a key is unique within a month; usage_consume looks into the month before as well.
  CONSTRAINT usage_take_pkey PRIMARY KEY (person, key, period)
) PARTITION BY RANGE (period);

-- Makes the partition of a month if it is not there. As the owner, because the login role makes no tables. Attaching
-- lets reads and writes of other months go on, which CREATE TABLE … PARTITION OF would not.
CREATE FUNCTION make_month(parent text, month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
  first_day date := date_trunc('month', month)::date;
  name text := parent || to_char(first_day, '_YYYY_MM');
BEGIN
  IF parent NOT IN ('usage_counter', 'usage_take', 'audit') THEN
    RAISE EXCEPTION 'not a table of months' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF to_regclass(quote_ident(name)) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('months of ' || current_schema(), 0));
  -- Asked of the table: to_regclass would answer from what it cached before the wait.
  IF EXISTS (SELECT FROM pg_class AS c WHERE c.relname = name AND c.relnamespace = current_schema()::regnamespace) THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)', name, parent);
  EXECUTE format(
    'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, name,
    first_day || ' 00:00:00+00', (first_day + interval '1 month')::date || ' 00:00:00+00');
  -- Reached through its parent only; the default privileges would open it.
  EXECUTE format('REVOKE ALL ON TABLE %I FROM {role}', name);
END $$;

-- Takes one unit from the first pool that has room. A function because it must be one statement, and one statement of
-- SQL can't take back the row it inserted when there is no room.
CREATE FUNCTION usage_consume(
  taker uuid, taken_key uuid, wanted text, at_tenant text, pools text[], limits bigint[], month date, now timestamptz
) RETURNS TABLE (outcome text, used bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
#variable_conflict use_column
DECLARE
  earlier record;
  repeats boolean := false;
  is_new boolean := true;
  has_room boolean;
  chosen integer;
  total bigint;
BEGIN
  PERFORM make_month('usage_counter', month), make_month('usage_take', month);

  -- Room is looked at before the key, never after: a pool seen full with a twin's unit in it shows the twin's row as well.
  SELECT bool_or(coalesce(c.used, 0) < p.most) INTO has_room
  FROM unnest(pools, limits) AS p (name, most)
  LEFT JOIN usage_counter AS c ON c.person = taker AND c.pool = p.name AND c.period = month;
  -- Retried? The month before counts, for a request that was first sent before midnight.
  SELECT t.feature, t.tenant INTO earlier FROM usage_take AS t
  WHERE t.person = taker AND t.key = taken_key AND t.period >= month - interval '1 month' AND t.released_at IS NULL
  LIMIT 1;
  repeats := FOUND;
  -- The common refusal costs no write.
  IF has_room AND NOT repeats THEN
    -- A twin with the same key waits here for the first one.
    INSERT INTO usage_take (person, key, period, feature, tenant, pool, taken_at)
    VALUES (taker, taken_key, month, wanted, at_tenant, pools[1], now)
    ON CONFLICT (person, key, period) DO NOTHING;
    IF NOT FOUND THEN
      is_new := false;
      SELECT t.feature, t.tenant, t.released_at INTO earlier FROM usage_take AS t
      WHERE t.person = taker AND t.key = taken_key AND t.period = month FOR UPDATE;
      repeats := earlier.released_at IS NULL;
    END IF;
    IF NOT repeats THEN
      FOR i IN 1 .. cardinality(pools) LOOP
        UPDATE usage_counter AS c SET used = c.used + 1, allowed = limits[i]
        WHERE c.person = taker AND c.pool = pools[i] AND c.period = month AND c.used < limits[i];
        IF NOT FOUND THEN
          INSERT INTO usage_counter (person, pool, period, used, allowed)
          VALUES (taker, pools[i], month, 1, limits[i]) ON CONFLICT (person, pool, period) DO NOTHING;
          IF NOT FOUND THEN
            -- The row is there: full, or made a moment ago by another.
            UPDATE usage_counter AS c SET used = c.used + 1, allowed = limits[i]
            WHERE c.person = taker AND c.pool = pools[i] AND c.period = month AND c.used < limits[i];
          END IF;
        END IF;
        IF FOUND THEN
          chosen := i;
          EXIT;
        END IF;
      END LOOP;
      IF chosen IS NULL THEN
        -- Lost the last unit since the look above. A row that was released before stays as it was.
        DELETE FROM usage_take AS t WHERE is_new AND t.person = taker AND t.key = taken_key AND t.period = month;
      ELSIF chosen > 1 OR NOT is_new THEN
        UPDATE usage_take AS t
        SET pool = pools[chosen], feature = wanted, tenant = at_tenant, taken_at = now, released_at = NULL
        WHERE t.person = taker AND t.key = taken_key AND t.period = month;
      END IF;
    END IF;
  END IF;

  SELECT coalesce(sum(c.used), 0) INTO total FROM usage_counter AS c
  WHERE c.person = taker AND c.pool = ANY (pools) AND c.period = month;
  IF NOT repeats THEN
    RETURN QUERY SELECT CASE WHEN chosen IS NULL THEN 'exceeded' ELSE 'taken' END, total;
  ELSIF earlier.feature = wanted AND earlier.tenant = at_tenant THEN
    RETURN QUERY SELECT 'repeated', total;
  ELSE
    RETURN QUERY SELECT 'reused', total;
  END IF;
END $$;

-- Gives a unit back; the second time, and for a key that took nothing, it does nothing.
CREATE FUNCTION usage_release(taker uuid, taken_key uuid, since date, now timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
  WITH released AS (
    UPDATE usage_take AS t SET released_at = now
    WHERE t.person = taker AND t.key = taken_key AND t.period >= since AND t.released_at IS NULL
    RETURNING t.person, t.pool, t.period
  ), counted AS (
    UPDATE usage_counter AS c SET used = c.used - 1
    FROM released AS r WHERE c.person = r.person AND c.pool = r.pool AND c.period = r.period
    RETURNING 1
  )
  SELECT count(*) FROM counted
$$;

-- Counting goes through the functions only.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON usage_counter, usage_take FROM {role};
REVOKE ALL ON FUNCTION make_month(text, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION usage_consume(uuid, uuid, text, text, text[], bigint[], date, timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION usage_release(uuid, uuid, date, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_month(text, date) TO {role};
GRANT EXECUTE ON FUNCTION usage_consume(uuid, uuid, text, text, text[], bigint[], date, timestamptz) TO {role};
GRANT EXECUTE ON FUNCTION usage_release(uuid, uuid, date, timestamptz) TO {role};
