-- When revenue is earned, and by whom. Everything here is computed from invoice lines, and booked in the ledger.

-- What of an amount is earned by the end of a day: evenly by day over [period_start, period_end), rounded half away from
-- zero as a running sum, so that the days add up to the whole. A line issued late catches up on its first day.
CREATE FUNCTION recognised(amount bigint, period_start date, period_end date, issued_on date, through date) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN through < issued_on OR through < period_start THEN 0
    WHEN through >= period_end - 1 THEN amount
    ELSE (sign(amount) * div(2 * abs(amount)::numeric * (through + 1 - period_start) + (period_end - period_start),
      2 * (period_end - period_start)))::bigint
  END
$$;

-- Days whose revenue is booked: one entry for each seller and currency.
CREATE TABLE recognition (
  day date NOT NULL,
  entity text NOT NULL,
  currency text NOT NULL,
  amount bigint NOT NULL,
  -- None when the day's parts came to zero.
  entry uuid,
  CONSTRAINT recognition_pkey PRIMARY KEY (day, entity, currency)
);

-- Who earned what of a month, explained for each line of an invoice: the parts add up to what was recognised of it.
CREATE TABLE revenue_share (
  month date NOT NULL,
  invoice uuid NOT NULL,
  line integer NOT NULL,
  tenant text NOT NULL,
  account uuid NOT NULL,
  plan text NOT NULL,
  country text NOT NULL,
  -- The seller, and the tenant's own entity, which it may owe.
  entity text NOT NULL,
  earner text NOT NULL,
  currency text NOT NULL,
  amount bigint NOT NULL,
  -- by-use, equal, fixed, pooled; equal where nothing was used.
  rule text NOT NULL,
  -- Uses of the account's persons at this tenant that the split went by.
  uses bigint NOT NULL,
  CONSTRAINT revenue_share_pkey PRIMARY KEY (month, invoice, line, tenant)
);
CREATE INDEX revenue_share_account_idx ON revenue_share (account, month);

-- Months that were split: until when uses counted, so that what came late counts in the next.
CREATE TABLE revenue_split (
  month date NOT NULL,
  counted_until timestamptz NOT NULL,
  split_at timestamptz NOT NULL,
  CONSTRAINT revenue_split_pkey PRIMARY KEY (month)
);

REVOKE UPDATE, DELETE, TRUNCATE ON recognition, revenue_share, revenue_split FROM {role};
