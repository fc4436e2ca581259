//! Databases, caches, directories, message brokers.

use super::{Certificate, Daemon, hello, named, tcp, unnamed, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        hello: hello::REDIS,
        run: "exec redis-server --bind 127.0.0.1 --port $PORT --save '' --dir /srv",
        ..tcp("redis", "redis-server", "redis-server", versioned("redis", "Redis", "Redis"))
    },
    Daemon {
        hello: hello::MEMCACHED,
        run: "exec memcached -l 127.0.0.1 -p $PORT -U 0 -u nobody -m 16",
        ..tcp("memcached", "memcached", "memcached", versioned("memcached", "memcached", "memcached"))
    },
    Daemon {
        hello: hello::POSTGRESQL,
        run: "mkdir data; chown postgres data
as postgres initdb --auth=reject --no-sync --pgdata=/srv/data >initdb.log
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D /srv/data -p $PORT \
-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c shared_buffers=1MB -c fsync=off",
        ..tcp("postgresql", "postgresql-15", "postgres", named("postgresql", "PostgreSQL", "PostgreSQL"))
    },
    Daemon {
        // Without its system tables it greets as ever, and nobody can log in over what is asked before a login.
        run: "mkdir data; chown mysql data
exec mariadbd --no-defaults --user=mysql --datadir=/srv/data --bind-address=127.0.0.1 --port=$PORT \
--socket=/srv/data/socket --pid-file=/srv/data/pid --skip-grant-tables --innodb-buffer-pool-size=8M",
        ..tcp("mariadb", "mariadb-server", "mariadbd", versioned("mysql", "MariaDB", "MariaDB"))
    },
    Daemon {
        hello: hello::LDAP,
        files: &[("slapd.conf", "include /etc/ldap/schema/core.schema\npidfile /run/slapd.pid\n")],
        run: "exec slapd -d 0 -f slapd.conf -h ldap://127.0.0.1:$PORT/",
        ..tcp("slapd", "slapd", "slapd", named("ldap", "OpenLDAP", "OpenLDAP"))
    },
    Daemon {
        hello: hello::MQTT,
        files: &[("mosquitto.conf", "listener @PORT@ 127.0.0.1\nallow_anonymous true\n")],
        run: "exec mosquitto -c mosquitto.conf",
        ..tcp("mosquitto", "mosquitto", "mosquitto", unnamed("mqtt", "Eclipse", "Mosquitto"))
    },
    Daemon {
        hello: hello::TLS,
        certificate: Some(Certificate::Current),
        files: &[(
            "mosquitto.conf",
            "listener @PORT@ 127.0.0.1\nallow_anonymous false\ncertfile /srv/cert.pem\nkeyfile /srv/key.pem\n",
        )],
        run: "certificate; chmod 644 key.pem; exec mosquitto -c mosquitto.conf",
        ..tcp("mosquitto-tls", "mosquitto", "mosquitto", unnamed("mqtts", "Eclipse", "Mosquitto"))
    },
    Daemon {
        hello: hello::BEANSTALK,
        run: "exec beanstalkd -l 127.0.0.1 -p $PORT -u nobody",
        ..tcp("beanstalkd", "beanstalkd", "beanstalkd", versioned("beanstalk", "beanstalkd", "beanstalkd"))
    },
    Daemon {
        run: "exec nats-server -a 127.0.0.1 -p $PORT",
        ..tcp("nats", "nats-server", "nats-server", versioned("nats", "Synadia", "NATS Server"))
    },
];
