-- What was billed. A draft is a quote that waits for its payment; issued, it has a number and never changes but for its
-- status. A wrong one is corrected by a credit note.

-- Numbers without gaps, by seller and year: the row is locked until the invoice is committed.
CREATE TABLE invoice_number (
  entity text NOT NULL,
  year integer NOT NULL,
  last bigint NOT NULL,
  CONSTRAINT invoice_number_pkey PRIMARY KEY (entity, year)
);

CREATE TABLE invoice (
  id uuid NOT NULL,
  account uuid NOT NULL,
  subscription uuid NOT NULL,
  -- The legal entity that sells.
  entity text NOT NULL,
  kind text NOT NULL,
  -- start, renewal, change, correction
  reason text NOT NULL,
  number text,
  currency text NOT NULL,
  country text NOT NULL,
  status text NOT NULL,
  -- Minor units, tax included; supply + tax = total. Negative on a credit note, and where a change leaves a credit.
  total bigint NOT NULL,
  supply bigint NOT NULL,
  tax bigint NOT NULL,
  -- Taken from the account's credit; total - credit = what is to be paid.
  credit bigint NOT NULL DEFAULT 0,
  -- What the subscription becomes when it is paid: plan, version, every, chosen, period, and the revision it was quoted for.
  effect jsonb NOT NULL DEFAULT '{}',
  corrects uuid,
  created_at timestamptz NOT NULL,
  issued_at timestamptz,
  -- The civil day of the seller it was issued on: it is booked, and recognised from, that day.
  issued_on date,
  paid_at timestamptz,
  CONSTRAINT invoice_pkey PRIMARY KEY (id),
  CONSTRAINT invoice_number_key UNIQUE (number),
  CONSTRAINT invoice_account_fkey FOREIGN KEY (account) REFERENCES billing_account (id),
  CONSTRAINT invoice_subscription_fkey FOREIGN KEY (subscription) REFERENCES subscription (id),
  CONSTRAINT invoice_corrects_fkey FOREIGN KEY (corrects) REFERENCES invoice (id),
  CONSTRAINT invoice_kind_known CHECK (kind IN ('invoice', 'credit_note')),
  CONSTRAINT invoice_status_known CHECK (status IN ('draft', 'open', 'paid', 'void')),
  CONSTRAINT invoice_sum CHECK (supply + tax = total),
  CONSTRAINT invoice_credit CHECK (credit BETWEEN 0 AND greatest(total, 0)),
  CONSTRAINT invoice_issued CHECK ((number IS NULL) = (issued_at IS NULL) AND (number IS NULL) = (issued_on IS NULL)),
  -- A draft that is given up is void without ever having had a number.
  CONSTRAINT invoice_numbered CHECK (status = 'void' OR (status = 'draft') = (number IS NULL)),
  CONSTRAINT invoice_correction CHECK ((kind = 'credit_note') = (corrects IS NOT NULL)),
  CONSTRAINT invoice_paid CHECK ((status = 'paid') = (paid_at IS NOT NULL))
);
CREATE INDEX invoice_account_idx ON invoice (account, created_at DESC);
CREATE INDEX invoice_issued_on_idx ON invoice (issued_on) WHERE issued_on IS NOT NULL;
CREATE INDEX invoice_open_idx ON invoice (created_at) WHERE status = 'open';
-- One draft of a subscription at a time, one renewal of a period ever.
CREATE UNIQUE INDEX invoice_one_draft ON invoice (subscription) WHERE status = 'draft';
CREATE UNIQUE INDEX invoice_one_correction ON invoice (corrects) WHERE corrects IS NOT NULL;

CREATE TABLE invoice_line (
  invoice uuid NOT NULL,
  line integer NOT NULL,
  -- plan: a period of a plan. credit: what was not used of one.
  kind text NOT NULL,
  plan text NOT NULL,
  plan_version integer NOT NULL,
  -- The days it pays for, half-open; its supply is recognised evenly over them.
  period_start date NOT NULL,
  period_end date NOT NULL,
  amount bigint NOT NULL,
  supply bigint NOT NULL,
  tax bigint NOT NULL,
  -- The tenants the plan's grants reached when it was sold: revenue is split between them.
  tenants text[] NOT NULL,
  CONSTRAINT invoice_line_pkey PRIMARY KEY (invoice, line),
  -- Lines are written before their invoice, which may not get new ones.
  CONSTRAINT invoice_line_invoice_fkey FOREIGN KEY (invoice) REFERENCES invoice (id) DEFERRABLE INITIALLY DEFERRED,
  CONSTRAINT invoice_line_kind_known CHECK (kind IN ('plan', 'credit')),
  CONSTRAINT invoice_line_period CHECK (period_end > period_start),
  CONSTRAINT invoice_line_sum CHECK (supply + tax = amount)
);
CREATE INDEX invoice_line_period_idx ON invoice_line (period_end, period_start);

-- A renewal bills a period once, whatever is repeated.
CREATE TABLE renewal (
  subscription uuid NOT NULL,
  period_start date NOT NULL,
  invoice uuid NOT NULL,
  CONSTRAINT renewal_pkey PRIMARY KEY (subscription, period_start),
  CONSTRAINT renewal_invoice_fkey FOREIGN KEY (invoice) REFERENCES invoice (id)
);

CREATE FUNCTION invoice_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.number IS NOT NULL AND
    (OLD.id, OLD.account, OLD.subscription, OLD.entity, OLD.kind, OLD.reason, OLD.number, OLD.currency, OLD.country,
     OLD.total, OLD.supply, OLD.tax, OLD.credit, OLD.corrects, OLD.issued_at, OLD.issued_on)
    IS DISTINCT FROM
    (NEW.id, NEW.account, NEW.subscription, NEW.entity, NEW.kind, NEW.reason, NEW.number, NEW.currency, NEW.country,
     NEW.total, NEW.supply, NEW.tax, NEW.credit, NEW.corrects, NEW.issued_at, NEW.issued_on)
  THEN
    RAISE EXCEPTION 'an issued invoice does not change'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_immutable', TABLE = 'invoice';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER invoice_immutable BEFORE UPDATE ON invoice FOR EACH ROW EXECUTE FUNCTION invoice_keep();

-- An issued invoice is the sum of its lines; checked at COMMIT, when all of them are there.
CREATE FUNCTION invoice_check_sum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.number IS NOT NULL AND NOT EXISTS (
    SELECT FROM {schema}.invoice_line AS l WHERE l.invoice = NEW.id
    HAVING (sum(l.amount), sum(l.supply), sum(l.tax)) = (NEW.total, NEW.supply, NEW.tax))
  THEN
    RAISE EXCEPTION 'an invoice is the sum of its lines'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_adds_up', TABLE = 'invoice';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_adds_up AFTER INSERT OR UPDATE ON invoice
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION invoice_check_sum();

CREATE FUNCTION invoice_line_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM {schema}.invoice AS i WHERE i.id = NEW.invoice AND i.number IS NOT NULL) THEN
    RAISE EXCEPTION 'lines are written before their invoice is issued'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_line_immutable', TABLE = 'invoice_line';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER invoice_line_immutable BEFORE INSERT ON invoice_line FOR EACH ROW EXECUTE FUNCTION invoice_line_keep();

REVOKE DELETE, TRUNCATE ON invoice, invoice_number FROM {role};
REVOKE UPDATE, DELETE, TRUNCATE ON invoice_line, renewal FROM {role};
