-- The processes that serve and work, each with the configuration it follows. A node that ends takes its row away; of one that
-- was killed the row says since when nothing was heard. Unlogged: after a crash of the server the next beat makes it again.
CREATE UNLOGGED TABLE node (
  id uuid PRIMARY KEY,
  role text NOT NULL CONSTRAINT node_role CHECK (role IN ('run', 'serve', 'work')),
  -- Where it listens, for who looks after it; nobody connects by it.
  address text NOT NULL,
  -- The stored version it follows, and why it doesn't follow a newer one.
  version integer NOT NULL,
  fault text,
  started timestamptz NOT NULL DEFAULT now(),
  -- By the database's clock: nodes' clocks differ.
  seen timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
