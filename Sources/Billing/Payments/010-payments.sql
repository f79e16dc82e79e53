-- Money from outside. A payment's row is committed before the gateway is asked, and its id is the gateway's idempotency
-- key: an answer that was lost is asked for again, never paid again.

CREATE TABLE payment_method (
  id uuid NOT NULL,
  account uuid NOT NULL,
  gateway text NOT NULL,
  -- The gateway's name for it; never a card number.
  token text NOT NULL,
  brand text NOT NULL,
  last4 text NOT NULL,
  exp_month integer NOT NULL,
  exp_year integer NOT NULL,
  added_at timestamptz NOT NULL,
  removed_at timestamptz,
  CONSTRAINT payment_method_pkey PRIMARY KEY (id),
  CONSTRAINT payment_method_account_fkey FOREIGN KEY (account) REFERENCES billing_account (id),
  CONSTRAINT payment_method_token_key UNIQUE (gateway, token),
  CONSTRAINT payment_method_last4_form CHECK (last4 ~ '^[0-9]{4}$')
);
-- The one that is charged.
CREATE UNIQUE INDEX payment_method_one ON payment_method (account) WHERE removed_at IS NULL;

CREATE TABLE payment (
  -- The gateway knows it as `reference`, and as idempotency key.
  id uuid NOT NULL,
  account uuid NOT NULL,
  invoice uuid NOT NULL,
  gateway text NOT NULL,
  -- checkout: the payer is led to the gateway's page. charge: her saved method, without her.
  kind text NOT NULL,
  amount bigint NOT NULL,
  currency text NOT NULL,
  method uuid,
  -- created: the gateway may or may not have heard of it. pending: it has, and has not decided. succeeded, failed: settled.
  -- mismatched: the gateway's amount is another; nothing is booked until someone has looked.
  state text NOT NULL DEFAULT 'created',
  gateway_checkout text,
  checkout_url text,
  gateway_payment text,
  failure text,
  -- Looks at the gateway, and when the next is due. One that was given up is looked at for some days more: a payer may have
  -- paid on a page that was still open. Null when nothing more can come.
  looks integer NOT NULL DEFAULT 0,
  look_at timestamptz,
  created_at timestamptz NOT NULL,
  settled_at timestamptz,
  CONSTRAINT payment_pkey PRIMARY KEY (id),
  CONSTRAINT payment_account_fkey FOREIGN KEY (account) REFERENCES billing_account (id),
  CONSTRAINT payment_invoice_fkey FOREIGN KEY (invoice) REFERENCES invoice (id),
  CONSTRAINT payment_method_fkey FOREIGN KEY (method) REFERENCES payment_method (id),
  CONSTRAINT payment_gateway_payment_key UNIQUE (gateway, gateway_payment),
  CONSTRAINT payment_amount_positive CHECK (amount > 0),
  CONSTRAINT payment_kind_known CHECK (kind IN ('checkout', 'charge')),
  CONSTRAINT payment_state_known CHECK (state IN ('created', 'pending', 'succeeded', 'failed', 'abandoned', 'mismatched')),
  CONSTRAINT payment_settled CHECK ((state IN ('created', 'pending')) = (settled_at IS NULL))
);
CREATE INDEX payment_look_idx ON payment (look_at) WHERE settled_at IS NULL;
CREATE INDEX payment_invoice_idx ON payment (invoice, created_at);
-- An invoice is being paid once at a time, and paid once.
CREATE UNIQUE INDEX payment_one_open ON payment (invoice) WHERE state IN ('created', 'pending', 'succeeded');

CREATE TABLE refund (
  id uuid NOT NULL,
  payment uuid NOT NULL,
  amount bigint NOT NULL,
  -- orphaned: paid for what is no longer wanted. correction: a credit note.
  reason text NOT NULL,
  credit_note uuid,
  state text NOT NULL DEFAULT 'created',
  gateway_refund text,
  looks integer NOT NULL DEFAULT 0,
  look_at timestamptz,
  created_at timestamptz NOT NULL,
  settled_at timestamptz,
  CONSTRAINT refund_pkey PRIMARY KEY (id),
  CONSTRAINT refund_payment_fkey FOREIGN KEY (payment) REFERENCES payment (id),
  CONSTRAINT refund_credit_note_fkey FOREIGN KEY (credit_note) REFERENCES invoice (id),
  CONSTRAINT refund_amount_positive CHECK (amount > 0),
  CONSTRAINT refund_state_known CHECK (state IN ('created', 'succeeded', 'failed')),
  CONSTRAINT refund_settled CHECK ((state = 'created') = (settled_at IS NULL))
);
CREATE INDEX refund_look_idx ON refund (look_at) WHERE settled_at IS NULL;

-- Webhooks that were verified: each has its effect once.
CREATE TABLE gateway_event (
  gateway text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  reference text NOT NULL,
  received_at timestamptz NOT NULL,
  deliveries integer NOT NULL DEFAULT 1,
  CONSTRAINT gateway_event_pkey PRIMARY KEY (gateway, id)
);
CREATE INDEX gateway_event_received_idx ON gateway_event USING brin (received_at);

REVOKE DELETE, TRUNCATE ON payment, payment_method, refund FROM {role};
