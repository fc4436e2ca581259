//! Mail: SMTP, IMAP, POP3.

use super::{Certificate, Daemon, hello, named, tcp, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        files: &[("main.cf", POSTFIX_MAIN), ("master.cf", POSTFIX_MASTER)],
        // The master process alone: `postfix start` would look after the machine's own queue too.
        run: "mkdir -m 755 queue; mkdir -m 700 data; chown postfix data
for d in active bounce corrupt defer deferred flush hold incoming private saved trace; do
  mkdir -m 700 queue/$d; chown postfix queue/$d
done
for d in maildrop public; do mkdir -m 730 queue/$d; chown postfix:postdrop queue/$d; done
mkdir queue/pid
exec /usr/lib/postfix/sbin/master -c /srv -d",
        ..tcp("postfix", "postfix", "postfix", named("smtp", "Postfix", "Postfix"))
    },
    Daemon {
        files: &[("exim.conf", EXIM)],
        run: "users Debian-exim; mkdir -m 777 spool log; exec exim4 -C /srv/exim.conf -bdf",
        ..tcp("exim", "exim4-daemon-light", "exim4", versioned("smtp", "Exim", "Exim"))
    },
    Daemon {
        files: &[("smtpd.conf", "listen on 127.0.0.1 port @PORT@\naction a relay\nmatch for any action a\n")],
        run: "users opensmtpd opensmtpq
mount -t tmpfs tmpfs /var/spool; mkdir -m 711 /var/spool/smtpd
mount -t tmpfs tmpfs /var/lib; mkdir -p /var/lib/opensmtpd/empty
exec smtpd -d -f /srv/smtpd.conf",
        ..tcp("opensmtpd", "opensmtpd", "smtpd", named("smtp", "OpenBSD", "OpenSMTPD"))
    },
    Daemon {
        files: &[("dovecot.conf", DOVECOT), ("service.conf", DOVECOT_IMAP)],
        run: DOVECOT_RUN,
        ..tcp("dovecot-imap", "dovecot-imapd", "dovecot", named("imap", "Dovecot", "Dovecot"))
    },
    Daemon {
        files: &[("dovecot.conf", DOVECOT), ("service.conf", DOVECOT_POP3)],
        run: DOVECOT_RUN,
        ..tcp("dovecot-pop3", "dovecot-pop3d", "dovecot", named("pop3", "Dovecot", "Dovecot"))
    },
    Daemon {
        hello: hello::TLS,
        certificate: Some(Certificate::Current),
        files: &[("dovecot.conf", DOVECOT), ("service.conf", DOVECOT_IMAPS)],
        run: DOVECOT_RUN,
        ..tcp("dovecot-imaps", "dovecot-imapd", "dovecot", named("imaps", "Dovecot", "Dovecot"))
    },
];

/// Takes every mail and puts it into `mail/box`. Nothing to be surveyed, so not in the table.
pub(crate) static MAILBOX: Daemon = Daemon {
    files: &[("exim.conf", EXIM_MAILBOX)],
    // It starts itself anew for each mail, and looks where the package would have put it.
    run: "users Debian-exim; mkdir -m 777 spool log mail; sed -i \"1i exim_path = $(command -v exim4)\" exim.conf
exec exim4 -C /srv/exim.conf -bdf",
    ..tcp("mailbox", "exim4-daemon-light", "exim4", named("smtp", "Exim", "Exim"))
};

/// The same for who speaks TLS and signs in as `hinomi`; its certificate is of an authority of its own, `ca.pem`.
pub(crate) static GUARDED_MAILBOX: Daemon = Daemon {
    files: &[("exim.conf", EXIM_GUARDED), ("san", "subjectAltName=IP:127.0.0.1\n")],
    run: "users Debian-exim; mkdir -m 777 spool log mail
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 30 -subj /O=Own/CN=authority \
  -keyout ca.key -out ca.pem 2>openssl.log
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=relay -keyout key.pem -out request.pem \
  2>>openssl.log
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 30 -extfile san -out cert.pem \
  2>>openssl.log
chmod 644 key.pem ca.pem; sed -i \"1i exim_path = $(command -v exim4)\" exim.conf
exec exim4 -C /srv/exim.conf -bdf",
    ..tcp("guarded-mailbox", "exim4-daemon-light", "exim4", named("smtp", "Exim", "Exim"))
};

const EXIM_GUARDED: &str = "primary_hostname = yagura.example
spool_directory = /srv/spool
log_file_path = /srv/log/%slog
pid_file_path = /run/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @PORT@
tls_advertise_hosts = *
tls_certificate = /srv/cert.pem
tls_privatekey = /srv/key.pem
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = known
acl_smtp_data = known
begin acl
known:
  accept authenticated = *
  deny
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{hinomi}}{eq{$auth3}{a word for the relay}}}}
  server_set_id = $auth2
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  file = /srv/mail/box
  user = Debian-exim
  create_file = anywhere
  mode_fail_narrower = false
";

const EXIM_MAILBOX: &str = "primary_hostname = yagura.example
spool_directory = /srv/spool
log_file_path = /srv/log/%slog
pid_file_path = /run/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @PORT@
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = take
acl_smtp_data = take
begin acl
take:
  accept
begin routers
all:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  file = /srv/mail/box
  user = Debian-exim
  create_file = anywhere
  mode_fail_narrower = false
";

const POSTFIX_MAIN: &str = "compatibility_level = 3.6
queue_directory = /srv/queue
data_directory = /srv/data
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = yagura.example
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
default_transport = error
";

const POSTFIX_MASTER: &str = "127.0.0.1:@PORT@ inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
error unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

const EXIM: &str = "primary_hostname = yagura.example
spool_directory = /srv/spool
log_file_path = /srv/log/%slog
pid_file_path = /run/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @PORT@
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
acl_smtp_rcpt = refuse
begin acl
refuse:
  deny
";

const DOVECOT_RUN: &str = "certificate; cat service.conf >>dovecot.conf; exec dovecot -F -c /srv/dovecot.conf";

const DOVECOT: &str = "base_dir = /run/dovecot
state_dir = /srv/state
log_path = /dev/stderr
listen = 127.0.0.1
default_login_user = dovenull
default_internal_user = dovecot
passdb {
  driver = passwd-file
  args = /srv/nobody
}
ssl = yes
ssl_cert = </srv/cert.pem
ssl_key = </srv/key.pem
";

const DOVECOT_IMAP: &str = "protocols = imap
service imap-login {
  inet_listener imap {
    port = @PORT@
  }
  inet_listener imaps {
    port = 0
  }
}
";

const DOVECOT_IMAPS: &str = "protocols = imap
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = @PORT@
    ssl = yes
  }
}
";

const DOVECOT_POP3: &str = "protocols = pop3
service pop3-login {
  inet_listener pop3 {
    port = @PORT@
  }
  inet_listener pop3s {
    port = 0
  }
}
";
