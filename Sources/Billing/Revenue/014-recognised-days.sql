-- A day whose revenue is booked takes no more invoices, as a closed month takes no more entries: a line that became visible
-- only afterwards would be in no day, and no sum of a month would agree with its lines.

-- Who books days has the turn alone; who issues invoices shares it until COMMIT. So what a day's sum doesn't see is not
-- there yet, and will find the day booked.
CREATE FUNCTION recognition_turn() RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(hashtextextended('{schema}.recognition', 0))
$$;

CREATE FUNCTION invoice_check_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('{schema}.recognition', 0));
  -- A failure of serialization: run again from its beginning, the transaction issues its invoice today.
  IF EXISTS (SELECT FROM {schema}.recognition AS r WHERE r.day >= NEW.issued_on) THEN
    RAISE EXCEPTION 'the revenue of this day is booked'
      USING ERRCODE = 'serialization_failure', CONSTRAINT = 'invoice_day_open', TABLE = 'invoice';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER invoice_day_open BEFORE INSERT ON invoice FOR EACH ROW
  WHEN (NEW.issued_on IS NOT NULL) EXECUTE FUNCTION invoice_check_day();
CREATE TRIGGER invoice_day_open_issue BEFORE UPDATE OF issued_on ON invoice FOR EACH ROW
  WHEN (OLD.issued_on IS NULL AND NEW.issued_on IS NOT NULL) EXECUTE FUNCTION invoice_check_day();

-- What the accounts' persons used, while a month is being split: filled and emptied in the split's own transaction, so
-- nobody sees it and a crash owes it nothing. What a split went by stays in revenue_share.
CREATE UNLOGGED TABLE revenue_use (
  account uuid NOT NULL,
  tenant text NOT NULL,
  uses bigint NOT NULL,
  CONSTRAINT revenue_use_pkey PRIMARY KEY (account, tenant)
);

-- Who sat where in a month that is over: those who have left, too.
CREATE INDEX billing_member_person_ever_idx ON billing_member (person);
-- Finance reads a month's shares account by account.
CREATE INDEX revenue_share_month_idx ON revenue_share (month, account);

-- Waits until every entry under way is in the ledger or given up, and keeps new ones out until COMMIT. Runs as the owner:
-- the login role may not change entries, so it could not lock them.
CREATE FUNCTION ledger_stand_still() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  LOCK TABLE ledger_entry IN SHARE MODE;
END $$;
REVOKE ALL ON FUNCTION ledger_stand_still() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_stand_still() TO {role};
