-- What an account has bought, in the version it was bought in. One at a time: one account, one subscription.

CREATE TABLE subscription (
  id uuid NOT NULL,
  account uuid NOT NULL,
  -- incomplete: the first payment is awaited, nothing is granted. active. past_due: a renewal is unpaid, the grants stay
  -- until grace_until. ended.
  status text NOT NULL,
  plan text NOT NULL,
  plan_version integer NOT NULL,
  every text NOT NULL,
  currency text NOT NULL,
  -- Tenants chosen where the plan asks.
  chosen text[] NOT NULL DEFAULT '{}',
  -- First day of the period the choice was last changed in: once a period.
  chosen_in date,
  -- The day it began: every period is counted from it.
  anchor date NOT NULL,
  period_start date,
  -- Half-open: the first day that is not paid for.
  period_end date,
  -- It ends with the period instead of renewing.
  cancels boolean NOT NULL DEFAULT false,
  -- What it renews as instead (a downgrade).
  next_plan text,
  next_version integer,
  next_every text,
  next_chosen text[],
  -- Failed charges of the open renewal, and when the next is due.
  retries integer NOT NULL DEFAULT 0,
  retry_on date,
  grace_until date,
  -- Counted up by every change: who changes what she saw, changes that and nothing newer.
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  ended_at timestamptz,
  -- canceled, unpaid, abandoned, replaced
  end_reason text,
  CONSTRAINT subscription_pkey PRIMARY KEY (id),
  CONSTRAINT subscription_account_fkey FOREIGN KEY (account) REFERENCES billing_account (id),
  CONSTRAINT subscription_plan_fkey FOREIGN KEY (plan, plan_version) REFERENCES plan_version (plan, version),
  CONSTRAINT subscription_next_fkey FOREIGN KEY (next_plan, next_version) REFERENCES plan_version (plan, version),
  CONSTRAINT subscription_status_known CHECK (status IN ('incomplete', 'active', 'past_due', 'ended')),
  CONSTRAINT subscription_every_known CHECK (every IN ('month', 'year')),
  CONSTRAINT subscription_period CHECK (period_end > period_start),
  CONSTRAINT subscription_period_known CHECK (status IN ('incomplete', 'ended') OR period_end IS NOT NULL),
  CONSTRAINT subscription_past_due CHECK ((status = 'past_due') = (grace_until IS NOT NULL)),
  CONSTRAINT subscription_ended CHECK ((status = 'ended') = (ended_at IS NOT NULL AND end_reason IS NOT NULL)),
  CONSTRAINT subscription_next_whole CHECK ((next_plan IS NULL) = (next_version IS NULL) AND (next_plan IS NULL) = (next_every IS NULL))
);
CREATE UNIQUE INDEX subscription_one_live ON subscription (account) WHERE status <> 'ended';
-- What the scheduler looks for every minute.
CREATE INDEX subscription_due_idx ON subscription (period_end) WHERE status = 'active';
CREATE INDEX subscription_retry_idx ON subscription (retry_on) WHERE status = 'past_due';
CREATE INDEX subscription_incomplete_idx ON subscription (created_at) WHERE status = 'incomplete';
CREATE INDEX subscription_plan_idx ON subscription (plan, plan_version) WHERE status <> 'ended';

REVOKE DELETE, TRUNCATE ON subscription FROM {role};
