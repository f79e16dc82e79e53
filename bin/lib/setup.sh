# shellcheck shell=bash
# What bin/run, bin/test and bin/bench share: packages, Swift, the one build. Sourced from the repository's root.

export LANG=C.UTF-8 LC_ALL=C.UTF-8

# The one build configuration. Tests import with @testable, so everything is built for it: a second configuration would
# cost a newcomer a second build of every dependency.
build_flags=(-c release -Xswiftc -enable-testing)

swift_required=6.3

# What every script needs: the libraries Metropolis binds, its database, and what a Swift toolchain links and loads on a
# minimal system (g++ brings the C and C++ headers). `a|b` is the first of them that the distribution offers. The -dev
# name of libcurl is the same in all releases where that of the library (libcurl4, libcurl4t64) is not.
# shellcheck disable=SC2034 # read by those who source this
base_packages=(
  libargon2-dev libcurl4-openssl-dev libhpdf-dev libpq-dev libssl-dev libxlsxwriter-dev zlib1g-dev 'postgresql-15|postgresql'
  binutils ca-certificates fonts-nanum g++ git libncurses6 libsqlite3-0 libuuid1 'libxml2|libxml2-16'
  pkg-config tzdata
)

say() { printf '\n==> %s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

is_installed() { [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]; }

is_offered() { [[ "$(apt-cache policy "$1" 2>/dev/null)" =~ Candidate:\ [^\(] ]]; }

# first TEST A|B: prints the first of the names that passes TEST.
first() {
  local name
  for name in ${2//|/ }; do
    if "$1" "$name"; then
      echo "$name"
      return 0
    fi
  done
  return 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >&2
}

# Debian's server package makes and starts a cluster on port 5432 when it is installed. Metropolis keeps its own, so the
# package is told not to before it comes.
keep_port_5432_free() {
  printf '%s\n' '# Metropolis runs a private cluster in its data directory.' 'create_main_cluster = false' |
    as_root install -D -m 644 /dev/stdin /etc/postgresql-common/createcluster.d/metropolis.conf
}

# Some packages bring a service and start it at once, on addresses of its own choice. The tests start their own programs, so
# the service is kept down: while it is installed, by Debian's own question (invoke-rc.d(8)), and at later starts.
install_without_services() {
  local policy=/usr/sbin/policy-rc.d is_ours=false service
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
    is_ours=true
  fi
  apt_get install --no-install-recommends "$@" || { if $is_ours; then as_root rm -f "$policy"; fi; return 1; }
  if $is_ours; then as_root rm -f "$policy"; fi
  for service in nginx pgbouncer; do
    if command -v systemctl >/dev/null && [[ " $* " == *" $service"* ]]; then as_root systemctl --quiet disable "$service" || true; fi
  done
}

# ensure_packages NAME...: installs those that are missing. With none missing it asks dpkg only: instant, and offline.
ensure_packages() {
  local package name missing=() names=()
  command -v dpkg-query >/dev/null || die "Debian or Ubuntu is expected, and there is no dpkg on this machine"
  for package in "$@"; do
    first is_installed "$package" >/dev/null || missing+=("$package")
  done
  if [[ ${#missing[@]} -eq 0 ]]; then return; fi

  if [[ $EUID -ne 0 ]] && ! sudo -n true 2>/dev/null; then
    die "these packages are missing, and this is neither root nor sudo without a password (of a|b one is enough):
  ${missing[*]}"
  fi
  say "Installing ${missing[*]%%|*}"
  apt_get update
  for package in "${missing[@]}"; do
    name=$(first is_offered "$package") || die "apt offers no ${package//|/ or }: is its archive among the sources?"
    names+=("$name")
    if [[ $name == postgresql* ]]; then keep_port_5432_free; fi
  done
  install_without_services "${names[@]}"
}

venv=.build/e2e-venv

# The Python packages of the end-to-end tests and the benchmarks, in a virtual environment that is made anew when their
# list changes.
ensure_venv() {
  local list=Tests/EndToEnd/requirements.txt stamp
  stamp=$(cat "$list" <(/usr/bin/python3 --version) | sha256sum)
  if [[ "$(cat "$venv/stamp" 2>/dev/null)" == "$stamp" ]]; then return; fi
  say "Installing the Python packages of the tests"
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$list"
  echo "$stamp" >"$venv/stamp"
}

require_swift() {
  local answer found
  command -v swift >/dev/null ||
    die "swift is not on PATH: install Swift $swift_required or later (https://www.swift.org/install/linux)"
  answer=$(swift --version 2>&1) || die "$(command -v swift) does not run: $answer"
  found=$(sed -nE 's/.*Swift version ([0-9]+(\.[0-9]+)*).*/\1/p' <<<"$answer")
  if [[ "$(printf '%s\n' "$swift_required" "$found" | sort -V | head -n 1)" != "$swift_required" ]]; then
    die "Swift ${found:-of no known version} found at $(command -v swift); $swift_required or later is needed"
  fi
}

# build ARGUMENT...: `swift build` in the one configuration.
build() {
  say "Building (the first time takes many minutes: every dependency is compiled from source)"
  swift build "${build_flags[@]}" "$@"
}
