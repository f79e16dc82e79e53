-- Who used what, in person order, without touching the statements themselves: pages of it go on at (person, tenant, seq).
CREATE INDEX statement_person_tenant ON statement (person, tenant, seq) INCLUDE (stored, timestamp);

-- A tenant's figures by day, likewise from the index alone. It grows at its end, as the store does.
CREATE INDEX statement_tenant_stored ON statement (tenant, stored) INCLUDE (timestamp, person);
