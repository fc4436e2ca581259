//! Remote access and file transfer: SSH, telnet, RDP, VNC, FTP, TFTP, rsync.

use super::{Daemon, hello, named, tcp, udp, unnamed, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        files: &[("sshd.conf", SSHD)],
        run: "mkdir /run/sshd; ssh-keygen -q -t ed25519 -N '' -f hostkey; exec /usr/sbin/sshd -D -e -f sshd.conf",
        ..tcp("openssh", "openssh-server", "sshd", versioned("ssh", "OpenBSD", "OpenSSH"))
    },
    Daemon {
        run: "dropbearkey -t ed25519 -f hostkey
exec dropbear -F -E -r hostkey -p 127.0.0.1:$PORT -P /run/dropbear.pid",
        ..tcp("dropbear", "dropbear-bin", "dropbear", versioned("ssh", "Matt Johnston", "Dropbear"))
    },
    Daemon {
        run: "tinysshd-makekey keys; inetd /usr/sbin/tinysshd /srv/keys",
        ..tcp("tinysshd", "tinysshd", "tinysshd", versioned("ssh", "Jan Mojzis", "TinySSH"))
    },
    Daemon {
        run: "inetd /usr/sbin/telnetd",
        ..tcp("telnetd", "inetutils-telnetd", "telnetd", unnamed("telnet", "GNU", "inetutils telnetd"))
    },
    Daemon {
        run: "certificate rsa; cat key.pem cert.pem >both.pem
inetd $(command -v in.telnetd) -z cert=/srv/both.pem -L /bin/login",
        ..tcp("telnetd-ssl", "telnetd-ssl", "in.telnetd", unnamed("telnet", "Debian", "netkit telnetd"))
    },
    Daemon {
        hello: hello::RDP,
        files: &[("xrdp.ini", XRDP)],
        run: "certificate rsa; xrdp-keygen xrdp rsakeys.ini; exec xrdp --nodaemon --config /srv/xrdp.ini",
        ..tcp("xrdp", "xrdp", "xrdp", unnamed("rdp", "neutrinolabs", "xrdp"))
    },
    Daemon {
        run: "exec Xtigervnc :$((PORT % 50000)) -rfbport $PORT -interface 127.0.0.1 -localhost \
-nolisten local -nolisten tcp -geometry 320x200 -SecurityTypes VncAuth -desktop yagura",
        ..tcp("tigervnc", "tigervnc-standalone-server", "Xtigervnc", unnamed("vnc", "TigerVNC", "TigerVNC"))
    },
    Daemon {
        files: &[("vsftpd.conf", VSFTPD)],
        run: "mkdir -p /run/vsftpd/empty; exec vsftpd /srv/vsftpd.conf",
        ..tcp("vsftpd", "vsftpd", "vsftpd", versioned("ftp", "Chris Evans", "vsftpd"))
    },
    Daemon {
        files: &[("proftpd.conf", PROFTPD)],
        run: "exec proftpd --nodaemon --config /srv/proftpd.conf",
        ..tcp("proftpd", "proftpd-core", "proftpd", named("ftp", "ProFTPD", "ProFTPD"))
    },
    Daemon {
        run: "exec pure-ftpd -S 127.0.0.1,$PORT -g /run/pure-ftpd.pid",
        ..tcp("pure-ftpd", "pure-ftpd", "pure-ftpd", named("ftp", "Pure-FTPd", "Pure-FTPd"))
    },
    Daemon {
        hello: hello::TFTP,
        run: "mkdir -m 755 files; exec in.tftpd --foreground --address 127.0.0.1:$PORT --secure --user nobody files",
        ..udp("tftpd", "tftpd-hpa", "in.tftpd", unnamed("tftp", "H. Peter Anvin", "tftpd-hpa"))
    },
    Daemon {
        files: &[("rsyncd.conf", "use chroot = no\npid file = /run/rsyncd.pid\n[public]\npath = /srv/files\n")],
        run: "mkdir files; exec rsync --daemon --no-detach --address=127.0.0.1 --port=$PORT --config=/srv/rsyncd.conf",
        ..tcp("rsync", "rsync", "rsync", named("rsync", "Samba", "rsync"))
    },
];

const SSHD: &str = "Port @PORT@
ListenAddress 127.0.0.1
HostKey /srv/hostkey
PidFile none
UsePAM no
PasswordAuthentication no
";

const XRDP: &str = "[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:@PORT@
security_layer=negotiate
crypt_level=high
certificate=/srv/cert.pem
key_file=/srv/key.pem
rsakeys_ini=/srv/rsakeys.ini
ssl_protocols=TLSv1.2, TLSv1.3
[Logging]
LogFile=/srv/xrdp.log
LogLevel=INFO
EnableSyslog=false
[Xorg]
name=Xorg
lib=libxup.so
ip=127.0.0.1
port=-1
";

const VSFTPD: &str = "listen=YES
listen_address=127.0.0.1
listen_port=@PORT@
background=NO
anonymous_enable=NO
local_enable=YES
secure_chroot_dir=/run/vsftpd/empty
";

const PROFTPD: &str = "ServerType standalone
Port @PORT@
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
User nobody
Group nogroup
PidFile /run/proftpd.pid
ScoreboardFile /run/proftpd.score
DelayTable /run/proftpd.delay
WtmpLog off
AuthPAM off
";
