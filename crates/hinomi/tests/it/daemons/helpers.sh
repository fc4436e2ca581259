# Small words for the recipes; the harness puts them before each recipe.

# certificate [ALGORITHM]: a self-signed one that is valid now, in cert.pem and key.pem.
certificate() {
  openssl req -x509 -newkey "${1:-ec}" -pkeyopt "$(key_option "${1:-ec}")" -nodes -sha256 -days 30 \
    -subj '/C=JP/O=Hinomi/CN=yagura' -addext subjectAltName=DNS:yagura,IP:127.0.0.1 \
    -keyout key.pem -out cert.pem 2>openssl.log
}

# expired_certificate [ALGORITHM]: a self-signed one that ended in 2021. `openssl req` cannot backdate; `ca` can.
expired_certificate() {
  mkdir ca
  : >ca/index.txt
  printf '%s\n' '[ca]' default_ca=own '[own]' database=ca/index.txt new_certs_dir=ca rand_serial=yes \
    default_md=sha256 policy=any '[any]' organizationName=optional commonName=supplied >ca.conf
  openssl req -newkey "${1:-ec}" -pkeyopt "$(key_option "${1:-ec}")" -nodes -subj '/O=Hinomi/CN=old-yagura' \
    -keyout key.pem -out ca/request.pem 2>openssl.log
  openssl ca -batch -notext -selfsign -config ca.conf -keyfile key.pem -in ca/request.pem -out cert.pem \
    -startdate 20200101000000Z -enddate 20210101000000Z 2>>openssl.log
}

key_option() {
  case $1 in
    rsa) echo rsa_keygen_bits:2048 ;;
    *) echo ec_paramgen_curve:prime256v1 ;;
  esac
}

# as USER COMMAND...: for servers that refuse to run as root.
as() {
  user=$1
  shift
  setpriv --reuid="$user" --regid="$(id -gn "$user")" --init-groups -- "$@"
}

# users NAME...: adds them to the list that is seen in here, for an unpacked package: its scripts have not run.
users() {
  cat /etc/passwd >passwd
  cat /etc/group >group
  id=64001
  for user in "$@"; do
    echo "$user:x:$id:$id::/nonexistent:/bin/false" >>passwd
    echo "$user:x:$id:" >>group
    id=$((id + 1))
  done
  mount --bind passwd /etc/passwd
  mount --bind group /etc/group
}

# page: something to serve.
page() {
  mkdir -p www
  printf '<html><head><title>It works</title></head><body>A page.</body></html>\n' >www/index.html
  chmod -R a+rX www
}

# inetd COMMAND ARGUMENTS...: for servers that expect the connected socket as standard input. `nofork` hands over the
# socket itself, not a pipe; telnetd asks it for the other side's address.
inetd() {
  exec socat "TCP4-LISTEN:$PORT,bind=127.0.0.1,reuseaddr,fork" "EXEC:$*,nofork"
}

# lan: an interface that can do multicast, in a network of its own.
lan() {
  ip link add lan0 type veth peer name lan1
  ip address add 192.168.77.1/24 dev lan0
  ip link set lan0 up
  ip link set lan1 up
  ip route add 224.0.0.0/4 dev lan0
}
