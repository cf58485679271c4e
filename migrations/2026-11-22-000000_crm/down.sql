DROP TABLE crm_tokens;
DROP TABLE memories;
