-- Who pays, and for whom. A billing account pays; persons sit at it: payer and person are never one column.

CREATE TABLE billing_account (
  id uuid NOT NULL,
  -- The person who pays, by her opaque id.
  owner uuid NOT NULL,
  -- What she pays in; fixed with the first invoice, for one account has one receivable.
  currency text NOT NULL,
  -- Where she buys: it decides the tax.
  country text NOT NULL,
  -- Whose civil days her periods are counted in.
  time_zone text NOT NULL,
  opened_at timestamptz NOT NULL,
  CONSTRAINT billing_account_pkey PRIMARY KEY (id),
  CONSTRAINT billing_account_owner_key UNIQUE (owner),
  CONSTRAINT billing_account_currency_known CHECK (currency IN ('KRW', 'USD')),
  CONSTRAINT billing_account_country_form CHECK (country ~ '^[A-Z][A-Z]$')
);

CREATE TABLE billing_member (
  id uuid NOT NULL,
  account uuid NOT NULL,
  person uuid NOT NULL,
  role text NOT NULL,
  joined_at timestamptz NOT NULL,
  left_at timestamptz,
  CONSTRAINT billing_member_pkey PRIMARY KEY (id),
  CONSTRAINT billing_member_account_fkey FOREIGN KEY (account) REFERENCES billing_account (id),
  CONSTRAINT billing_member_role_known CHECK (role IN ('owner', 'member', 'child')),
  CONSTRAINT billing_member_order CHECK (left_at IS NULL OR left_at >= joined_at)
);
CREATE UNIQUE INDEX billing_member_once ON billing_member (account, person) WHERE left_at IS NULL;
-- One family at a time; an account of her own is none.
CREATE UNIQUE INDEX billing_member_one_family ON billing_member (person) WHERE left_at IS NULL AND role <> 'owner';
CREATE INDEX billing_member_person_idx ON billing_member (person) WHERE left_at IS NULL;

REVOKE DELETE, TRUNCATE ON billing_account, billing_member FROM {role};
