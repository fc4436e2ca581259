//! Web servers, proxies, and products that show a web page.

use super::{Certificate, Daemon, Truth, hello, major_minor, named, tcp, unnamed, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        hello: hello::HTTP,
        files: &[("nginx.conf", NGINX_HTTP)],
        run: "page; exec nginx -p /srv -c nginx.conf",
        ..tcp("nginx", "nginx", "nginx", versioned("http", "F5", "nginx"))
    },
    Daemon {
        hello: hello::TLS,
        certificate: Some(Certificate::Current),
        files: &[("nginx.conf", NGINX_HTTPS)],
        run: "page; certificate; exec nginx -p /srv -c nginx.conf",
        ..tcp("nginx-https", "nginx", "nginx", versioned("https", "F5", "nginx"))
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("lighttpd.conf", LIGHTTPD)],
        run: "page; exec lighttpd -D -f lighttpd.conf",
        ..tcp("lighttpd", "lighttpd", "lighttpd", versioned("http", "lighttpd", "lighttpd"))
    },
    Daemon {
        hello: hello::TLS,
        certificate: Some(Certificate::Expired),
        files: &[("lighttpd.conf", LIGHTTPD), ("tls.conf", LIGHTTPD_TLS)],
        run: "page; expired_certificate rsa; cat tls.conf >>lighttpd.conf; exec lighttpd -D -f lighttpd.conf",
        ..tcp("lighttpd-https-expired", "lighttpd", "lighttpd", versioned("https", "lighttpd", "lighttpd"))
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("apache.conf", APACHE)],
        run: "page; exec apache2 -D FOREGROUND -f /srv/apache.conf",
        ..tcp("apache", "apache2-bin", "apache2", versioned("http", "Apache", "HTTP Server"))
    },
    Daemon {
        hello: hello::HTTP,
        run: "page; exec mini_httpd -D -h 127.0.0.1 -p $PORT -d /srv/www -u nobody -i /run/mini-httpd.pid",
        ..tcp("mini-httpd", "mini-httpd", "mini_httpd", versioned("http", "ACME Laboratories", "mini_httpd"))
    },
    Daemon {
        hello: hello::TLS,
        certificate: Some(Certificate::Current),
        run: "page; certificate rsa; cat cert.pem key.pem >both.pem
exec mini_httpd -D -S -E both.pem -h 127.0.0.1 -p $PORT -d /srv/www -u nobody -i /run/mini-httpd.pid",
        ..tcp("mini-httpd-https", "mini-httpd", "mini_httpd", versioned("https", "ACME Laboratories", "mini_httpd"))
    },
    Daemon {
        hello: hello::HTTP,
        run: "page; inetd /usr/sbin/micro-httpd /srv/www",
        ..tcp("micro-httpd", "micro-httpd", "micro-httpd", named("http", "ACME Laboratories", "micro_httpd"))
    },
    Daemon {
        hello: hello::HTTP,
        run: "page; exec webfsd -F -i 127.0.0.1 -p $PORT -r /srv/www -f index.html -u www-data",
        ..tcp("webfs", "webfs", "webfsd", versioned("http", "Gerd Hoffmann", "webfs"))
    },
    Daemon {
        // The successor of thttpd, which runs in many older devices.
        hello: hello::HTTP,
        files: &[("merecat.conf", "hostname = 127.0.0.1\nusername = www-data\n")],
        run: "page; exec merecat -n -f merecat.conf -p $PORT /srv/www",
        ..tcp(
            "merecat",
            "merecat",
            "merecat",
            Truth { version: Some(merecat), ..named("http", "Joachim Wiberg", "Merecat") },
        )
    },
    Daemon {
        hello: hello::HTTP,
        run: "page; exec busybox httpd -f -p 127.0.0.1:$PORT -h /srv/www",
        ..tcp("busybox-httpd", "busybox", "busybox", unnamed("http", "BusyBox", "httpd"))
    },
    Daemon {
        hello: hello::TLS,
        certificate: Some(Certificate::Current),
        files: &[("Caddyfile", CADDY)],
        run: "page; certificate; exec caddy run --config Caddyfile --adapter caddyfile",
        ..tcp("caddy-https", "caddy", "caddy", named("https", "Caddy", "Caddy"))
    },
    Daemon {
        hello: hello::HTTP,
        run: "page; exec /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory www $PORT",
        ..tcp("python-http", "python3", "/usr/bin/python3", versioned("http", "Python", "http.server"))
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("haproxy.conf", HAPROXY)],
        run: "exec haproxy -db -f haproxy.conf",
        ..tcp("haproxy", "haproxy", "haproxy", named("http", "HAProxy", "HAProxy"))
    },
    Daemon {
        hello: hello::HTTP,
        run: "exec varnishd -F -j none -a 127.0.0.1:$PORT -b none -T none -n /srv/varnish -s malloc,1m",
        ..tcp(
            "varnish",
            "varnish",
            "varnishd",
            Truth { version: Some(major_minor), ..named("http", "Varnish Software", "Varnish") },
        )
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("squid.conf", SQUID)],
        run: "exec squid -N -f /srv/squid.conf",
        ..tcp("squid", "squid", "squid", versioned("http", "Squid", "squid"))
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("tinyproxy.conf", TINYPROXY)],
        run: "exec tinyproxy -d -c tinyproxy.conf",
        ..tcp("tinyproxy", "tinyproxy-bin", "tinyproxy", versioned("http", "Tinyproxy", "tinyproxy"))
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("icecast.xml", ICECAST)],
        run: "mkdir log; chown nobody log; exec icecast2 -c icecast.xml",
        ..tcp("icecast", "icecast2", "icecast2", versioned("http", "Xiph.Org", "Icecast"))
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("settings.json", TRANSMISSION)],
        run: "exec transmission-daemon -f -g /srv -p $PORT -r 127.0.0.1 -i 127.0.0.1",
        ..tcp(
            "transmission",
            "transmission-daemon",
            "transmission-daemon",
            named("http", "Transmission", "Transmission"),
        )
    },
    Daemon {
        hello: hello::HTTP,
        run: "exec prometheus-node-exporter --web.listen-address=127.0.0.1:$PORT",
        ..tcp(
            "node-exporter",
            "prometheus-node-exporter",
            "prometheus-node-exporter",
            versioned("http", "Prometheus", "Node Exporter"),
        )
    },
    Daemon {
        hello: hello::HTTP,
        files: &[("cupsd.conf", CUPS), ("cups-files.conf", CUPS_FILES)],
        run: "mkdir spool cache state root; exec cupsd -f -c /srv/cupsd.conf -s /srv/cups-files.conf",
        ..tcp(
            "cups",
            "cups-daemon",
            "cupsd",
            Truth { version: Some(major_minor), ..named("ipp", "OpenPrinting", "CUPS") },
        )
    },
];

/// What the git snapshot that Debian packages calls itself.
fn merecat(upstream: &str) -> String {
    if upstream == "2.31+git20220513" { "2.32-rc4".to_owned() } else { upstream.to_owned() }
}

const NGINX_HTTP: &str = "daemon off; pid /run/nginx.pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http { access_log off; server { listen 127.0.0.1:@PORT@; root /srv/www; } }
";

const NGINX_HTTPS: &str = "daemon off; pid /run/nginx.pid; error_log stderr; worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  server {
    listen 127.0.0.1:@PORT@ ssl; root /srv/www;
    ssl_certificate /srv/cert.pem; ssl_certificate_key /srv/key.pem;
    add_header Strict-Transport-Security max-age=31536000;
  }
}
";

const LIGHTTPD: &str = r#"server.bind = "127.0.0.1"
server.port = @PORT@
server.document-root = "/srv/www"
server.username = "www-data"
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html")
"#;

const LIGHTTPD_TLS: &str = r#"server.modules += ("mod_openssl")
ssl.engine = "enable"
ssl.pemfile = "/srv/cert.pem"
ssl.privkey = "/srv/key.pem"
"#;

const APACHE: &str = "ServerRoot /srv
ServerName yagura
Listen 127.0.0.1:@PORT@
PidFile /run/apache.pid
DefaultRuntimeDir /run
ErrorLog /dev/stderr
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
DocumentRoot /srv/www
DirectoryIndex index.html
";

const CADDY: &str = "{
  admin off
  auto_https off
  default_sni yagura
  storage file_system /srv/caddy
}
https://:@PORT@ {
  bind 127.0.0.1
  tls /srv/cert.pem /srv/key.pem
  root * /srv/www
  file_server
}
";

const HAPROXY: &str = "defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:@PORT@
  default_backend none
backend none
";

const SQUID: &str = "http_port 127.0.0.1:@PORT@
visible_hostname yagura
pid_filename none
access_log none
cache_log /dev/null
cache_mem 1 MB
icp_port 0
udp_incoming_address 127.0.0.1
snmp_port 0
pinger_enable off
coredump_dir /srv
http_access deny all
";

// It refuses everybody: asked for a page it would go where the Host header says.
const TINYPROXY: &str = "Port @PORT@
Listen 127.0.0.1
User nobody
Group nogroup
Deny 0.0.0.0/0
";

const ICECAST: &str = "<icecast>
  <hostname>yagura</hostname>
  <authentication><source-password>unused</source-password><admin-password>unused</admin-password></authentication>
  <listen-socket><port>@PORT@</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <logdir>/srv/log</logdir><webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot>
  </paths>
  <logging><accesslog>access.log</accesslog><errorlog>-</errorlog></logging>
  <security><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>
</icecast>
";

// Nothing of it may leave the machine: no peer exchange, no discovery, no port mapping.
const TRANSMISSION: &str = r#"{ "bind-address-ipv4": "127.0.0.1", "bind-address-ipv6": "::1", "dht-enabled": false,
"lpd-enabled": false, "pex-enabled": false, "utp-enabled": false, "port-forwarding-enabled": false,
"rpc-bind-address": "127.0.0.1", "rpc-whitelist-enabled": true, "rpc-whitelist": "127.0.0.1" }
"#;

const CUPS: &str = "Listen 127.0.0.1:@PORT@
LogLevel warn
Browsing Off
WebInterface Yes
<Location />
  Order allow,deny
  Allow 127.0.0.1
</Location>
";

const CUPS_FILES: &str = "ServerRoot /srv
RequestRoot /srv/spool
CacheDir /srv/cache
StateDir /srv/state
TempDir /srv/spool
DocumentRoot /srv/root
AccessLog /srv/access_log
ErrorLog stderr
PageLog /srv/page_log
";
