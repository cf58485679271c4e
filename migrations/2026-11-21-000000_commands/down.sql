DROP INDEX integration_logs_redirect;
DROP TABLE manager_statuses;
DROP TABLE call_requests;
ALTER TABLE enterprises DROP COLUMN ssh_key;
ALTER TABLE enterprises DROP COLUMN host_kind;
