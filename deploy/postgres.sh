#!/bin/sh
# One PostgreSQL, a user and a database each for Synapse and for the bridge. The image runs this
# once, when its volume is empty. Synapse asks for the C locale.
set -eu
psql --username "$POSTGRES_USER" --dbname postgres --set ON_ERROR_STOP=1 \
    --set synapse="$SYNAPSE_DB_PASSWORD" --set consilium="$CONSILIUM_DB_PASSWORD" <<'SQL'
CREATE ROLE synapse LOGIN PASSWORD :'synapse';
CREATE DATABASE synapse OWNER synapse ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE ROLE consilium LOGIN PASSWORD :'consilium';
CREATE DATABASE consilium OWNER consilium ENCODING 'UTF8' TEMPLATE template0;
SQL
