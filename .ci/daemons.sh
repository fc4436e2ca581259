#!/usr/bin/env bash
# Installs the real servers that the survey is tested against (Debian 12). Safe to run again.
#
#   .ci/daemons.sh          install what is missing, print a line per package
#   .ci/daemons.sh --list   print the names only
#
# Nothing is started: a policy-rc.d that says no stands in for the time of the install, and whatever policy the
# machine had is put back. Packages that exclude each other (FTP, mail, telnet and time servers) cannot all be
# installed: at most one of a kind is, and the others are unpacked under $HINOMI_UNPACKED, where the tests look.
set -euo pipefail

unpacked_root=${HINOMI_UNPACKED:-/opt/hinomi-daemons}
policy=/usr/sbin/policy-rc.d

# What the tests start.
installed=(
  openssh-server dropbear-bin tinysshd inetutils-telnetd busybox xrdp tigervnc-standalone-server
  nginx lighttpd lighttpd-mod-openssl apache2-bin mini-httpd micro-httpd webfs merecat caddy
  haproxy varnish squid tinyproxy-bin cups-daemon icecast2 transmission-daemon prometheus-node-exporter python3
  vsftpd tftpd-hpa rsync
  postfix dovecot-imapd dovecot-pop3d
  mosquitto redis-server postgresql-15 mariadb-server memcached slapd beanstalkd nats-server
  bind9 dnsmasq-base unbound nsd knot
  snmpd samba libcoap3-bin miniupnpd miniupnpd-nftables minidlna shairport-sync python3-pymodbus
  kamailio prosody ngircd xl2tpd pptpd openvpn strongswan-starter strongswan-charon libstrongswan-standard-plugins wsdd2 nut-server gpsd knxd openipmi avahi-daemon
)
# What the tests use to start them.
tools=(dbus openssl socat iproute2 util-linux procps)
# What the tests start, but apt would not install beside the above or beside systemd-timesyncd; and the libraries that
# these want, and one that python3-pymodbus imports without depending on it.
unpacked=(proftpd-core pure-ftpd exim4-daemon-light opensmtpd chrony ntpsec telnetd-ssl)
libraries=(
  libidn12 libhiredis0.14 libmemcached11 libmemcachedutil2 libpcre2-posix3 python3-serial python3-serial-asyncio
)

have() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

candidate() { LC_ALL=C apt-cache policy "$1" | awk '$1 == "Candidate:" { print $2 }'; }

# Says no to every service start, unless the machine already does. The previous policy comes back on exit.
deny_starts() {
  local answer=0
  if [ -x "$policy" ]; then "$policy" hinomi-daemons start >/dev/null 2>&1 || answer=$?; fi
  [ "$answer" -ne 101 ] || return 0
  [ ! -e "$policy" ] || mv "$policy" "$policy.before-hinomi"
  trap restore_policy EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
}

restore_policy() {
  rm -f "$policy"
  [ ! -e "$policy.before-hinomi" ] || mv "$policy.before-hinomi" "$policy"
}

install_missing() {
  local wanted=() name
  for name in "${installed[@]}" "${tools[@]}" "${libraries[@]}"; do
    have "$name" && continue
    case "$(candidate "$name")" in
      '' | '(none)') ;; # reported at the end; it must not make the one apt-get call fail for the others
      *) wanted+=("$name") ;;
    esac
  done
  [ "${#wanted[@]}" -gt 0 ] || return 0
  deny_starts
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io \
    -o DPkg::Lock::Timeout=300 "${wanted[@]}" >&2 || true # judged package by package below
}

unpack_missing() {
  local name version home scratch
  for name in "${unpacked[@]}"; do
    home=$unpacked_root/$name
    version=$(candidate "$name")
    [ -n "$version" ] && [ "$version" != '(none)' ] || continue
    [ "$(cat "$home.version" 2>/dev/null)" != "$version" ] || continue
    scratch=$(mktemp -d)
    if (cd "$scratch" && apt-get download -o APT::Sandbox::User=root "$name" >&2); then
      rm -rf "$home"
      mkdir -p "$home"
      dpkg-deb --extract "$scratch"/*.deb "$home" && echo "$version" >"$home.version"
    fi
    rm -rf "$scratch"
  done
}

report() {
  local name absent=()
  for name in "${installed[@]}" "${tools[@]}" "${libraries[@]}"; do
    if have "$name"; then
      dpkg-query -W -f '${Package} ${Version} installed\n' "$name"
    else
      echo "$name - MISSING"
      absent+=("$name")
    fi
  done
  for name in "${unpacked[@]}"; do
    if [ -s "$unpacked_root/$name.version" ]; then
      echo "$name $(cat "$unpacked_root/$name.version") unpacked"
    else
      echo "$name - MISSING"
      absent+=("$name")
    fi
  done
  [ "${#absent[@]}" -eq 0 ] || { echo "could not install: ${absent[*]}" >&2; return 1; }
}

if [ "${1:-}" = --list ]; then
  printf '%s\n' "${installed[@]}" "${unpacked[@]}"
  exit 0
fi
install_missing
unpack_missing
report
