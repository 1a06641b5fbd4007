//! What only PostgreSQL can go through: a schema of another release, many writers on many connections, a restart.
