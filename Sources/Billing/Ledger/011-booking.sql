-- The accounting day of an entry, and months that are closed: nothing is booked into them any more.

ALTER TABLE ledger_entry ADD COLUMN booked_on date;
ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_immutable;
-- What was posted before this column came: in the time zone all cities had until then.
UPDATE ledger_entry SET booked_on = (posted_at AT TIME ZONE 'Asia/Seoul')::date;
ALTER TABLE ledger_entry ENABLE TRIGGER ledger_entry_immutable;
ALTER TABLE ledger_entry ALTER COLUMN booked_on SET NOT NULL;
CREATE INDEX ledger_entry_booked_on_idx ON ledger_entry (booked_on, id);

CREATE TABLE closed_month (
  -- Its first day.
  month date NOT NULL,
  closed_at timestamptz NOT NULL,
  -- An opaque id, or the name of a service.
  closed_by text NOT NULL,
  -- Debits of each currency, and the SHA-256 of the month's postings in order: what an export must agree with.
  totals jsonb NOT NULL,
  digest bytea NOT NULL,
  CONSTRAINT closed_month_pkey PRIMARY KEY (month),
  CONSTRAINT closed_month_first CHECK (extract(day FROM month) = 1),
  CONSTRAINT closed_month_digest_length CHECK (octet_length(digest) = 32)
);
CREATE TRIGGER closed_month_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON closed_month
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON closed_month FROM {role};

CREATE FUNCTION ledger_check_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM {schema}.closed_month AS m WHERE m.month >= date_trunc('month', NEW.booked_on)::date) THEN
    RAISE EXCEPTION 'the month is closed'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_month_open', TABLE = 'ledger_entry';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_month_open BEFORE INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION ledger_check_month();
