DROP TABLE kept;
DROP TABLE refusals;
DROP TABLE telegram_messages;
DROP TABLE telegram_users;
DROP TABLE integration_logs;
DROP TABLE deliveries;
DROP TABLE customers;
DROP TABLE calls;
DROP TABLE call_events;
DROP TABLE lines;
DROP TABLE audit_log;
DROP TABLE sessions;
DROP TABLE user_internal_phones;
DROP TABLE users;
DROP TABLE enterprises;
-- postgres:
DROP FUNCTION patchbay_tell_config;
-- end
