-- A month of 1,000,000 postings: 200,000 invoices of 20,000 accounts with three lines each, and their payments with two; before
-- it a tenth as many. Written past the triggers, which check each entry: this measures how they leave the ledger.
SET session_replication_role = replica;
SET search_path = billing;

CREATE FUNCTION pg_temp.id(at timestamptz, salt bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  -- A UUIDv7 (RFC 9562 §5.7): milliseconds, then what tells those of one millisecond apart.
  SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(salt::text), 1, 3) || '8'
    || substr(md5(salt::text), 4, 15))::uuid
$$;

INSERT INTO ledger_account (id, code, kind, currency, keeps_balance, opened_at)
SELECT md5('a' || n)::uuid, 'receivable:' || md5('b' || n)::uuid || ':' || c, 'asset', c, true, timestamptz '2025-09-01'
FROM generate_series(1, 20000) AS n, LATERAL (SELECT CASE WHEN n % 10 = 0 THEN 'USD' ELSE 'KRW' END) AS t (c)
UNION ALL
SELECT md5(name || c)::uuid, name || ':' || c, kind, c, false, timestamptz '2025-09-01'
FROM (VALUES ('KRW'), ('USD')) AS v (c),
  (VALUES ('cash:dreamseed-kr:simulator', 'asset'), ('deferred:dreamseed-kr', 'liability'), ('vat:dreamseed-kr', 'liability'))
    AS w (name, kind)
ON CONFLICT (code) DO NOTHING;

CREATE TEMPORARY TABLE sale AS
SELECT n, at, 1 + n % 20000 AS account, CASE WHEN (1 + n % 20000) % 10 = 0 THEN 'USD' ELSE 'KRW' END AS currency,
  (9900 + n % 9001 * 10)::bigint AS total, ((9900 + n % 9001 * 10) / 11)::bigint AS tax,
  pg_temp.id(at, n) AS issued, pg_temp.id(at + interval '20 s', n + 10000000) AS paid, md5('i' || n)::uuid AS invoice
FROM (
  SELECT n, CASE WHEN n <= 20000 THEN timestamptz '2025-09-01 00:00+09' + n * interval '120 s'
    ELSE timestamptz '2025-10-01 00:00+09' + (n - 20000) * interval '13.3 s' END AS at
  FROM generate_series(1, 220000) AS n
) AS t;

INSERT INTO ledger_entry (id, key, kind, description, details, occurred_at, posted_at, content, booked_on)
SELECT issued, 'invoice:' || invoice, 'posting', 'invoice.issued', jsonb_build_object('invoice', invoice, 'plan', 'student'),
  at, at, sha256('x'), (at AT TIME ZONE 'Asia/Seoul')::date
FROM sale
UNION ALL
SELECT paid, 'payment:' || md5('p' || n)::uuid, 'posting', 'payment.received',
  jsonb_build_object('invoice', invoice, 'payment', md5('p' || n)::uuid), at + interval '20 s', at + interval '20 s',
  sha256('x'), ((at + interval '20 s') AT TIME ZONE 'Asia/Seoul')::date
FROM sale
ORDER BY 1;

INSERT INTO ledger_posting (entry, line, account, amount, currency)
SELECT issued, 1, md5('a' || account)::uuid, total, currency FROM sale
UNION ALL SELECT issued, 2, md5('vat:dreamseed-kr' || currency)::uuid, -tax, currency FROM sale
UNION ALL SELECT issued, 3, md5('deferred:dreamseed-kr' || currency)::uuid, tax - total, currency FROM sale
UNION ALL SELECT paid, 1, md5('cash:dreamseed-kr:simulator' || currency)::uuid, total, currency FROM sale
UNION ALL SELECT paid, 2, md5('a' || account)::uuid, -total, currency FROM sale
ORDER BY 1, 2;

INSERT INTO ledger_balance (account, balance)
SELECT p.account, sum(p.amount)::bigint FROM ledger_posting AS p JOIN ledger_account AS a ON a.id = p.account
WHERE a.keeps_balance GROUP BY p.account
ON CONFLICT (account) DO UPDATE SET balance = excluded.balance;

RESET session_replication_role;
-- VACUUM as autovacuum would have done by now.
VACUUM ANALYZE ledger_account, ledger_entry, ledger_posting, ledger_balance;
