# The first process of a daemon's own namespaces (process, mount, host name, shared memory).
#
# Standard input is a pipe from the test: when it closes, because the test dropped the daemon or died, this process
# ends, and the kernel ends everything else in the namespace, however often it forked or changed its session.
#
# DIR      the daemon's directory, seen as /srv inside, so that any user the daemon drops to can reach it
# PORT     where it must answer on 127.0.0.1
# INSIDE   the address and port it insists on, for one that cannot be told where to listen; else empty
# SOCKET   tcp or udp
set -eu
trap 'exit 0' TERM
exec 3<&0 </dev/null
{ cat <&3; kill -TERM 1; } >/dev/null 2>&1 &

hostname yagura
mount --bind "$DIR" /srv
# Pid files, sockets, locks and logs at fixed paths stay in here, and the machine's own are out of reach.
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/log
mount -t tmpfs tmpfs /tmp
# Questions about names end on this machine, whatever a daemon wants to know about its callers.
echo 'nameserver 127.255.255.254' >/run/resolv.conf
[ ! -f /etc/resolv.conf ] || mount --bind /run/resolv.conf /etc/resolv.conf
cd /srv

if [ -z "$INSIDE" ]; then
  sh -eu /srv/run.sh 3<&- &
else
  # It gets a network of its own where it may listen on all addresses. A Unix socket, which does not care for
  # network namespaces, joins the two; SOCK_SEQPACKET (type 5) keeps UDP's packet boundaries.
  case $SOCKET in
    tcp) outer=TCP4-LISTEN inner=TCP4 type=1 idle=60 ;;
    udp) outer=UDP4-LISTEN inner=UDP4 type=5 idle=4 ;;
  esac
  socat -T "$idle" "$outer:$PORT,bind=127.0.0.1,reuseaddr,fork" "UNIX-CONNECT:/run/relay,type=$type" 3<&- &
  unshare --net -- sh -eu -c '
    ip link set lo up
    socat -T "$3" "UNIX-LISTEN:/run/relay,type=$2,fork" "$1:$INSIDE" &
    . /srv/run.sh' inside "$inner" "$type" "$idle" 3<&- &
fi
wait "$!"
