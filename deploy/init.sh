#!/bin/sh
# Makes what compose.yaml needs and the repository can't hold: secrets (.env), the bridge's
# configuration and its registration (deploy/local), Synapse's own files and Prosody's certificate
# (in their volumes). Run it again at any time: it keeps what is there.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "init: $1" >&2
    exit 1
}

secret() {
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

is_domain() {
    printf '%s\n' "$1" | grep -Eqx '[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*'
}

if [ -e .env ]; then
    [ $# = 0 ] || fail ".env is there already, with its domains: run this without any, or see docs/deployment.md for starting over"
else
    [ $# = 2 ] || fail "name the two domains, as in: deploy/init.sh example.org xmpp.example.org"
    for domain in "$@"; do
        is_domain "$domain" || fail "$domain is not a domain: it may hold letters, digits, dots and -"
    done
    # Only the owner of the checkout can read it
    (
        umask 077
        cat >.env.new <<SECRETS
MATRIX_DOMAIN=$1
XMPP_DOMAIN=$2
CONSILIUM_AS_TOKEN=$(secret)
CONSILIUM_HS_TOKEN=$(secret)
CONSILIUM_XMPP_SECRET=$(secret)
CONSILIUM_DB_PASSWORD=$(secret)
SYNAPSE_DB_PASSWORD=$(secret)
POSTGRES_PASSWORD=$(secret)
SECRETS
    )
    mv .env.new .env
    echo ".env is written: it holds every secret."
fi
# shellcheck source=/dev/null
. ./.env

# The containers run as users of their own, so the files in it must be readable for all. Nobody but
# the owner of the checkout gets as far as that on this machine.
mkdir -p deploy/local/bridge
chmod 700 deploy/local
chmod 755 deploy/local/bridge
chmod a+r deploy/synapse.yaml deploy/postgres.sh
if [ ! -e deploy/local/bridge/config.yaml ]; then
    sed -e "s/@MATRIX_DOMAIN@/$MATRIX_DOMAIN/g" -e "s/@XMPP_DOMAIN@/$XMPP_DOMAIN/g" \
        deploy/bridge.yaml >deploy/local/bridge/config.yaml
    chmod 644 deploy/local/bridge/config.yaml
    echo "deploy/local/bridge/config.yaml is written."
fi

docker compose build bridge prosody

docker compose run --rm --no-deps -T bridge registration >deploy/local/registration.new
mv deploy/local/registration.new deploy/local/registration.yaml
chmod 644 deploy/local/registration.yaml
echo "deploy/local/registration.yaml is written."

docker compose run --rm --no-deps -T synapse generate

# Signed by itself: clients ask once whether to trust it. Put a real one in its place when you have it.
docker compose run --rm --no-deps -T prosody sh -euc '
    umask 077
    mkdir -p /var/lib/prosody/certs
    cd /var/lib/prosody/certs
    [ -e "$XMPP_DOMAIN.crt" ] || openssl req -x509 -newkey rsa:2048 -noenc -days 3650 \
        -subj "/CN=$XMPP_DOMAIN" -addext "subjectAltName=DNS:$XMPP_DOMAIN,DNS:muc.$XMPP_DOMAIN" \
        -keyout "$XMPP_DOMAIN.key" -out "$XMPP_DOMAIN.crt" 2>/dev/null'

echo "All is ready: docker compose up -d"
