#!/usr/bin/env bash
# Install what the make targets need, and nothing that is there already:
#   - from the distribution's packages, where they are missing: Python with venv, Prosody, Dovecot
#     and Postfix for the tests of mailing lists, and PostgreSQL for the tests that run on both
#     databases;
#   - inside the checkout: .venv for Consilium, .cache/synapse-venv for Synapse, and
#     .cache/mailman-venv for Mailman; and, where there is Node 20 or newer, .cache/js-client for the
#     client with Element's crypto that tests talk to.
# PYTHON=/path/to/python3.x chooses the interpreter. The output of all tools goes to .cache/setup.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly LOG=.cache/setup.log
readonly STEPS=8
readonly NPM_SECONDS=300

main() {
    mkdir -p .cache
    export PATH=$PATH:/usr/sbin # where servers are, and where not everyone looks
    exec 9>.cache/setup.lock
    flock 9 # two targets started at once take turns

    if ! command -v prosody >/dev/null || [ ! -d /usr/lib/prosody/modules/mod_muc_moderation ]; then
        need_packages prosody prosody-modules
        step 1 Prosody install_prosody
        command -v prosody >/dev/null || fail "Prosody was installed, but not into PATH ($PATH)"
    fi
    if ! compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
        need_packages postgresql
        step 2 PostgreSQL install_postgresql
    fi
    if ! command -v dovecot >/dev/null || ! command -v postfix >/dev/null; then
        or_without "a mailing list" add_mail_servers
    fi
    local project synapse mailman js
    js=$(stamp sandbox/js_client/package-lock.json)
    if has_node && ! is_stamped .cache/js-client "$js"; then
        step 8 matrix-js-sdk install_js_client
        echo "$js" >.cache/js-client/stamp
    fi
    project=$(stamp requirements-dev.lock pyproject.toml)
    synapse=$(stamp sandbox/synapse.lock)
    mailman=$(stamp sandbox/mail_mailman.lock)
    if is_current .venv "$project" && is_current .cache/synapse-venv "$synapse" &&
        is_current .cache/mailman-venv "$mailman"; then
        return
    fi
    choose_python # sets $python
    if ! is_current .venv "$project"; then
        step 4 Consilium install_project
        echo "$project" >.venv/stamp
    fi
    if ! is_current .cache/synapse-venv "$synapse"; then
        step 5 Synapse install_locked .cache/synapse-venv sandbox/synapse.lock
        echo "$synapse" >.cache/synapse-venv/stamp
    fi
    if ! is_current .cache/mailman-venv "$mailman"; then
        or_without "a mailing list" add_mailman "$mailman"
    fi
}

add_mail_servers() {
    need_packages dovecot-imapd dovecot-lmtpd postfix
    step 6 "Dovecot and Postfix" install_mail_servers
}

add_mailman() {
    step 7 Mailman install_locked .cache/mailman-venv sandbox/mail_mailman.lock
    echo "$1" >.cache/mailman-venv/stamp
}

choose_python() {
    python=${PYTHON:-$(find_python)}
    if [ -z "$python" ]; then
        need_packages python3 python3-venv
        step 3 Python apt_install python3 python3-venv
        python=$(find_python)
        [ -n "$python" ] ||
            fail "Consilium needs Python 3.11 or newer, and this system has $(python3 --version): install a newer one and run this again with PYTHON=/path/to/it"
    fi
    is_new_enough "$python" || fail "$python is not Python 3.11 or newer, which Consilium needs"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        local version
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        need_packages "python$version-venv"
        step 3 "Python's venv" apt_install "python$version-venv"
    fi
}

# --- what is there ---

find_python() {
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# An environment's stamp tells from which files it was made, and where: its scripts hold its path.
stamp() {
    { pwd && cat "$@"; } | sha256sum | cut -d ' ' -f 1
}

is_current() {
    [ -x "$1/bin/python" ] && is_stamped "$@"
}

is_stamped() {
    [ -f "$1/stamp" ] && [ "$(<"$1/stamp")" = "$2" ]
}

# It is not asked for: the tests with matrix-js-sdk are left out without it.
has_node() {
    command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'
}

# --- how it is installed ---

install_project() {
    install_locked .venv requirements-dev.lock
    .venv/bin/python -m pip install --no-input --no-build-isolation --no-deps --editable .
}

install_locked() {
    local environment=$1 lock=$2
    if ! is_usable "$environment"; then
        "$python" -m venv --clear "$environment"
    fi
    "$environment/bin/python" -m pip install --no-input --require-hashes -r "$lock"
}

install_js_client() {
    mkdir -p .cache/js-client
    cp sandbox/js_client/package.json sandbox/js_client/package-lock.json .cache/js-client/
    cd .cache/js-client
    timeout "$NPM_SECONDS" npm ci --no-audit --no-fund --ignore-scripts
}

# Not so when its interpreter is gone or another, when it is half made, or when it was moved here.
is_usable() {
    "$1/bin/python" -c 'import pip' && grep -qF "$PWD/$1/bin/python" "$1/bin/pip"
}

install_prosody() {
    apt_install prosody prosody-modules # the community's: moderation, pictures of rooms
    keep_down prosody
}

install_postgresql() {
    apt_install postgresql
    keep_down postgresql
}

install_mail_servers() {
    # Without this, Debian's Postfix asks what kind of server it is to be
    echo "postfix postfix/main_mailer_type select No configuration" | as_root debconf-set-selections
    apt_install dovecot-imapd dovecot-lmtpd postfix
    keep_down dovecot
    keep_down postfix
}

# Such a package starts a server of its own, now and at every boot. Nobody asked for that: ours are
# started from the checkout, on loopback, on free ports.
keep_down() {
    as_root service "$1" stop || true # it fails where no services run at all, as in a container
    as_root update-rc.d "$1" disable
}

apt_install() {
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
    as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

need_packages() {
    command -v apt-get >/dev/null ||
        fail "$* is missing, and there is no apt-get here: install it with this system's own package manager, then run this again"
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
        fail "$* is missing, and there is no sudo here: run \`apt-get install $*\` as root, then run this again"
}

# --- how it is told ---

step() {
    local number=$1 title=$2 since=$SECONDS
    shift 2
    printf '[%d/%d] %s … ' "$number" "$STEPS" "$title"
    printf '\n== %s ==\n' "$title" >>"$LOG"
    # A subshell of its own, not a condition: `set -e` has to hold within the step.
    local status
    set +e
    (
        set -e
        "$@"
    ) >>"$LOG" 2>&1 </dev/null
    status=$?
    set -e
    if [ "$status" != 0 ]; then
        echo failed
        tail -n 15 "$LOG" >&2
        fail "$title could not be installed: see above, and $LOG for all of it"
    fi
    echo "$((SECONDS - since)) s"
}

# What the demo can do without: it goes on, and says so. Tests that need it fail.
or_without() {
    local what=$1 status
    shift
    set +e # not a condition, as in step
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    [ "$status" = 0 ] || echo "setup: goes on without $what" >&2
}

fail() {
    echo "setup: $1" >&2
    exit 1
}

main
