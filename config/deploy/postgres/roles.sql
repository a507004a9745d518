-- Least rights for PostgreSQL: one role owns the schema and changes it (`paperboy migrate`), one reads and writes rows
-- (everything else), one only reads (pg_dump). Run it once, as an administrator, with psql:
--
--     psql --file config/deploy/postgres/roles.sql postgres
--     psql --command '\password paperboy_owner' --command '\password paperboy_app' --command '\password paperboy_reader' postgres
--
-- Then bring the schema with the owner's address, and give every process the other's:
--
--     DATABASE_URL=postgresql://paperboy_owner:PASSWORD@HOST/paperboy paperboy migrate
--     DATABASE_URL=postgresql://paperboy_app:PASSWORD@HOST/paperboy paperboy run
CREATE ROLE paperboy_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE paperboy_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 200;
CREATE ROLE paperboy_reader LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION CONNECTION LIMIT 5;
CREATE DATABASE paperboy OWNER paperboy_owner TEMPLATE template0 ENCODING 'UTF8';

\connect paperboy

-- Nobody comes in, or makes anything, who is not named here.
REVOKE ALL ON DATABASE paperboy FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO paperboy_owner;
GRANT CONNECT ON DATABASE paperboy TO paperboy_app, paperboy_reader;
GRANT USAGE ON SCHEMA public TO paperboy_app, paperboy_reader;

-- Whatever the owner makes, now and in later versions.
ALTER DEFAULT PRIVILEGES FOR ROLE paperboy_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO paperboy_app;
ALTER DEFAULT PRIVILEGES FOR ROLE paperboy_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO paperboy_app;
ALTER DEFAULT PRIVILEGES FOR ROLE paperboy_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO paperboy_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE paperboy_owner IN SCHEMA public
    GRANT SELECT ON SEQUENCES TO paperboy_reader;
