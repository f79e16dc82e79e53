-- The double-entry ledger. Amounts are minor units; positive is debit, negative is credit. What it promises holds for any
-- client, so it stands here: entries balance at COMMIT, are never changed, and a key has one entry.
--
-- Entries and postings are not partitioned by month: a unique index of a partitioned table must hold the partition's
-- column, so a key repeated in the next month would post twice. BRIN on the time serves the reports instead.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege', TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END $$;

CREATE TABLE ledger_account (
  id uuid NOT NULL,
  code text NOT NULL,
  kind text NOT NULL,
  currency text NOT NULL,
  -- A person's account keeps its balance in ledger_balance. A system account is in every entry of a tenant: its row would
  -- be where everyone queues, so its balance is computed.
  keeps_balance boolean NOT NULL,
  opened_at timestamptz NOT NULL,
  CONSTRAINT ledger_account_pkey PRIMARY KEY (id),
  CONSTRAINT ledger_account_code_key UNIQUE (code),
  CONSTRAINT ledger_account_currency_key UNIQUE (id, currency),
  CONSTRAINT ledger_account_code_form CHECK (length(code) BETWEEN 1 AND 200),
  CONSTRAINT ledger_account_kind_known CHECK (kind IN ('asset', 'liability', 'equity', 'income', 'expense')),
  CONSTRAINT ledger_account_currency_form CHECK (currency ~ '^[A-Z][A-Z][A-Z]$')
);

CREATE TABLE ledger_entry (
  id uuid NOT NULL,
  key text NOT NULL,
  kind text NOT NULL,
  -- A code of the catalogues (answer.accepted), never prose.
  description text NOT NULL,
  -- Opaque ids and figures, no personal data.
  details jsonb NOT NULL,
  occurred_at timestamptz NOT NULL,
  posted_at timestamptz NOT NULL,
  -- SHA-256 of what was asked for, without times: a repeated key with another content is a mistake.
  content bytea NOT NULL,
  reverses uuid,
  -- Postings may join their entry only in the transaction that made it.
  posted_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT ledger_entry_pkey PRIMARY KEY (id),
  CONSTRAINT ledger_entry_key_key UNIQUE (key),
  CONSTRAINT ledger_entry_reverses_key UNIQUE (reverses),
  CONSTRAINT ledger_entry_reverses_fkey FOREIGN KEY (reverses) REFERENCES ledger_entry (id),
  CONSTRAINT ledger_entry_key_form CHECK (length(key) BETWEEN 1 AND 200),
  CONSTRAINT ledger_entry_kind_known CHECK (kind IN ('posting', 'reversal', 'capture')),
  CONSTRAINT ledger_entry_reversal CHECK ((kind = 'reversal') = (reverses IS NOT NULL)),
  CONSTRAINT ledger_entry_content_length CHECK (octet_length(content) = 32)
);
CREATE INDEX ledger_entry_posted_at_idx ON ledger_entry USING brin (posted_at);

CREATE TABLE ledger_posting (
  entry uuid NOT NULL,
  line integer NOT NULL,
  -- The order statements are read in: ids of one millisecond have none.
  number bigint GENERATED ALWAYS AS IDENTITY,
  -- No foreign key: it would lock the row of a system account in every entry. Accounts are never deleted or changed, so
  -- ledger_count_postings looks once, without a lock.
  account uuid NOT NULL,
  amount bigint NOT NULL,
  currency text NOT NULL,
  CONSTRAINT ledger_posting_pkey PRIMARY KEY (entry, line),
  CONSTRAINT ledger_posting_entry_fkey FOREIGN KEY (entry) REFERENCES ledger_entry (id),
  CONSTRAINT ledger_posting_amount_not_zero CHECK (amount <> 0)
);
-- A person's statement, newest first, and the sum of a computed balance, from the index alone.
CREATE INDEX ledger_posting_account_idx ON ledger_posting (account, number DESC) INCLUDE (amount);

CREATE TABLE ledger_balance (
  account uuid NOT NULL,
  -- Sum of the postings: debit is positive.
  balance bigint NOT NULL,
  -- What holds reserve, in the account's own direction.
  held bigint NOT NULL DEFAULT 0,
  CONSTRAINT ledger_balance_pkey PRIMARY KEY (account),
  CONSTRAINT ledger_balance_account_fkey FOREIGN KEY (account) REFERENCES ledger_account (id),
  CONSTRAINT ledger_balance_held_not_negative CHECK (held >= 0)
) WITH (fillfactor = 80);

CREATE TABLE ledger_hold (
  id uuid NOT NULL,
  key text NOT NULL,
  account uuid NOT NULL,
  currency text NOT NULL,
  amount bigint NOT NULL,
  state text NOT NULL DEFAULT 'held',
  content bytea NOT NULL,
  held_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  settled_at timestamptz,
  entry uuid,
  CONSTRAINT ledger_hold_pkey PRIMARY KEY (id),
  CONSTRAINT ledger_hold_key_key UNIQUE (key),
  CONSTRAINT ledger_hold_account_fkey FOREIGN KEY (account, currency) REFERENCES ledger_account (id, currency),
  CONSTRAINT ledger_hold_entry_fkey FOREIGN KEY (entry) REFERENCES ledger_entry (id),
  CONSTRAINT ledger_hold_amount_positive CHECK (amount > 0),
  CONSTRAINT ledger_hold_state_known CHECK (state IN ('held', 'captured', 'released')),
  CONSTRAINT ledger_hold_captured CHECK ((state = 'captured') = (entry IS NOT NULL)),
  CONSTRAINT ledger_hold_settled CHECK ((state = 'held') = (settled_at IS NULL)),
  CONSTRAINT ledger_hold_expiry CHECK (expires_at > held_at)
);
CREATE INDEX ledger_hold_expiry_idx ON ledger_hold (expires_at) WHERE state = 'held';
CREATE INDEX ledger_hold_account_idx ON ledger_hold (account) WHERE state = 'held';

-- Runs as the owner: balances are derived, and the login role may only read them.
CREATE FUNCTION ledger_count_postings() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF EXISTS (
    SELECT FROM posted AS p
    LEFT JOIN ledger_entry AS e ON e.id = p.entry AND e.posted_in = pg_current_xact_id()
    WHERE e.id IS NULL
  ) THEN
    RAISE EXCEPTION 'postings are written with their entry, in one transaction'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_closed', TABLE = 'ledger_posting';
  END IF;
  IF EXISTS (
    SELECT FROM posted AS p
    LEFT JOIN ledger_account AS a ON a.id = p.account AND a.currency = p.currency
    WHERE a.id IS NULL
  ) THEN
    RAISE EXCEPTION 'a posting has an account of its own currency'
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'ledger_posting_account', TABLE = 'ledger_posting';
  END IF;
  -- In the order of the accounts, so that two entries over the same pair wait instead of deadlock.
  INSERT INTO ledger_balance AS b (account, balance)
  SELECT p.account, sum(p.amount)::bigint
  FROM posted AS p JOIN ledger_account AS a ON a.id = p.account
  WHERE a.keeps_balance
  GROUP BY p.account ORDER BY p.account
  ON CONFLICT (account) DO UPDATE SET balance = b.balance + EXCLUDED.balance;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_posting_counted AFTER INSERT ON ledger_posting
  REFERENCING NEW TABLE AS posted FOR EACH STATEMENT EXECUTE FUNCTION ledger_count_postings();

CREATE FUNCTION ledger_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  checked uuid;
  lines bigint;
  balanced boolean;
  mixed boolean;
BEGIN
  IF TG_TABLE_NAME = 'ledger_entry' THEN checked := NEW.id; ELSE checked := NEW.entry; END IF;
  SELECT coalesce(sum(t.lines), 0), bool_and(t.total = 0), bool_or(t.currency = 'PTS') AND count(*) > 1
  INTO lines, balanced, mixed
  FROM (
    SELECT p.currency, count(*) AS lines, sum(p.amount) AS total
    FROM {schema}.ledger_posting AS p WHERE p.entry = checked GROUP BY p.currency
  ) AS t;
  IF lines < 2 THEN
    RAISE EXCEPTION 'an entry has two postings or more'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_complete', TABLE = 'ledger_entry';
  ELSIF NOT balanced THEN
    RAISE EXCEPTION 'the postings of an entry add up to zero in each currency'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_balanced', TABLE = 'ledger_entry';
  ELSIF mixed THEN
    RAISE EXCEPTION 'points and money do not mix in an entry'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_unmixed', TABLE = 'ledger_entry';
  END IF;
  RETURN NULL;
END $$;
-- On the entry for one without postings; on each posting because SET CONSTRAINTS … IMMEDIATE may have spent the entry's check.
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON ledger_entry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry();
CREATE CONSTRAINT TRIGGER ledger_posting_balanced AFTER INSERT ON ledger_posting
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_entry();

-- Reserves and frees what a hold covers. The update of the balance's row is the lock that makes two holds wait.
CREATE FUNCTION ledger_count_hold() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
  available bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    UPDATE ledger_balance AS b SET held = b.held + NEW.amount
    FROM ledger_account AS a WHERE b.account = NEW.account AND a.id = b.account
    RETURNING CASE WHEN a.kind IN ('asset', 'expense') THEN b.balance ELSE -b.balance END - b.held INTO available;
    IF NEW.state <> 'held' OR available IS NULL OR available < 0 THEN
      RAISE EXCEPTION 'the account does not cover the hold'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_hold_covered', TABLE = 'ledger_hold';
    END IF;
  ELSIF OLD.state <> 'held' OR NEW.state = 'held' THEN
    RAISE EXCEPTION 'a hold is settled once'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_hold_settled_once', TABLE = 'ledger_hold';
  ELSE
    UPDATE ledger_balance SET held = held - OLD.amount WHERE account = OLD.account;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_hold_counted AFTER INSERT OR UPDATE ON ledger_hold
  FOR EACH ROW EXECUTE FUNCTION ledger_count_hold();

-- Not even the owner changes them; a wrong entry is reversed.
CREATE TRIGGER ledger_account_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_account
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_posting_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_posting
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE UPDATE, DELETE, TRUNCATE ON ledger_account, ledger_entry, ledger_posting FROM {role};
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ledger_balance FROM {role};
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_hold FROM {role};
GRANT UPDATE (state, settled_at, entry) ON ledger_hold TO {role};
