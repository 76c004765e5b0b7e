# Shared by the scripts: where we are, what we say, what we need. Sourced by bash.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf '\033[31m%s\033[0m\n' "$*" >&2; exit 1; }

# need COMMAND PACKAGE...: makes sure that a command is there. As root on Debian it is installed; otherwise the person is
# told what to run. Answers false if it is not there afterwards.
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null && return
    apt_install "$@" && command -v "$command" >/dev/null && return
    printf 'There is no `%s` here. Install it, on Debian with:\n    sudo apt-get install -y %s\n' "$command" "$*" >&2
    return 1
}

# apt_install PACKAGE...: installs Debian packages, if we may.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# What every build needs.
need_build_tools() {
    command -v cargo >/dev/null || die 'There is no `cargo` here. Comanda needs Rust 1.90 or newer: https://rustup.rs'
    command -v node >/dev/null && command -v npm >/dev/null \
        || die 'There is no `node` or `npm` here. The page needs Node 20.19 or newer: https://nodejs.org'
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
        || die "Node $(node --version) is too old. The page needs Node 20.19 or newer: https://nodejs.org"
    need cc gcc libc6-dev || die 'The embedded SQLite needs a C compiler.'
}

# Folder in which cargo puts what it builds.
target_folder() { echo "${CARGO_TARGET_DIR:-target}"; }

# start_server BINARY ARGUMENT...: starts a server on a free port and a data folder of its own; it stops with this
# script, or with stop_server. Sets `url` and `log`.
start_server() {
    local bin=$1
    shift
    server_folder=$(mktemp -d)
    log="$server_folder/log"
    "$bin" --json serve --listen 127.0.0.1:0 --data "$server_folder/data" "$@" >"$server_folder/out" 2>"$log" &
    server=$!
    trap stop_server EXIT
    until [ -s "$server_folder/out" ]; do
        kill -0 "$server" 2>/dev/null || { cat "$log" >&2; die 'the server did not start'; }
        sleep 0.05
    done
    url=$(node -p 'JSON.parse(require("fs").readFileSync(0, "utf8").split("\n")[0]).listening' <"$server_folder/out")
}

stop_server() {
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    rm -rf "$server_folder"
}

# python_tools NAME REQUIREMENT...: a virtual environment with exactly these packages in .tools/NAME. Answers false, and says
# why, if it cannot be made.
python_tools() {
    local name=$1 folder=.tools/$1
    shift
    [ "$(cat "$folder/requirements" 2>/dev/null)" = "$*" ] && return
    need python3 python3 python3-venv || return 1
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv || {
        printf 'Python has no venv here. On Debian: sudo apt-get install -y python3-venv\n' >&2
        return 1
    }
    say "installing $name into .tools"
    rm -rf "$folder"
    python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" || return 1
    echo "$*" >"$folder/requirements"
}

# npm_tools NAME PACKAGE...: the same of npm's packages.
npm_tools() {
    local name=$1 folder=.tools/$1
    shift
    [ "$(cat "$folder/requirements" 2>/dev/null)" = "$*" ] && return
    say "installing $name into .tools"
    rm -rf "$folder"
    mkdir -p "$folder"
    (cd "$folder" && echo '{"private": true}' >package.json && npm install --no-audit --no-fund --loglevel=error "$@")
    echo "$*" >"$folder/requirements"
}

# boto3 and the AWS CLI, in .tools/aws.
aws_tools() { python_tools aws boto3==1.44.5 awscli==1.46.2; }
