#!/usr/bin/env python3
"""Writes what `nmap -sV -sC -oX` would write of a made-up network; the same arguments give the same bytes.

    python3 benches/nmap_xml.py HOSTS FILE

Five ports a host, of them three with script output: host keys, a page's title and headers, a certificate with its PEM.
Keys, certificates, titles and dates differ from host to host as they do outside; servers and versions come from short
lists. About 9 KB a host. Addresses are of 10.0.0.0/8, names end in `.invalid`.
"""

import base64
import random
import sys
from xml.sax.saxutils import quoteattr

SEED = 11
START = 1_790_000_000
SSH = [("OpenSSH", version, f"cpe:/a:openbsd:openssh:{version}") for version in ("7.4", "8.2p1", "8.9p1", "9.2p1", "9.6p1")]
SSH.append(("Dropbear sshd", "2020.81", "cpe:/a:matt_johnston:dropbear_ssh_server:2020.81"))
HTTP = [("nginx", version, f"cpe:/a:igor_sysoev:nginx:{version}") for version in ("1.14.2", "1.18.0", "1.22.1", "1.24.0")]
HTTP += [("Apache httpd", version, f"cpe:/a:apache:http_server:{version}") for version in ("2.4.41", "2.4.57", "2.4.62")]
HTTP.append(("lighttpd", "1.4.59", "cpe:/a:lighttpd:lighttpd:1.4.59"))
OTHER = [
    (21, "ftp", "vsftpd", "3.0.3", "cpe:/a:vsftpd:vsftpd:3.0.3"),
    (25, "smtp", "Postfix smtpd", None, "cpe:/a:postfix:postfix"),
    (53, "domain", "ISC BIND", "9.18.28", "cpe:/a:isc:bind:9.18.28"),
    (554, "rtsp", None, None, None),
    (3306, "mysql", "MySQL", "8.0.36", "cpe:/a:mysql:mysql:8.0.36"),
    (6379, "redis", "Redis key-value store", "7.0.15", "cpe:/a:redislabs:redis:7.0.15"),
    (8080, "http-proxy", None, None, None),
]
TITLES = ["Login", "Welcome to nginx!", "Router setup", "IP Camera", "Apache2 Debian Default Page: It works", "NAS", "Index of /"]


def attribute(text):
    return quoteattr(text).replace("\n", "&#xa;").replace("\t", "&#9;")


def script(name, output, inside=""):
    return f"<script id={quoteattr(name)} output={attribute(output)}>{inside}</script>"


def elem(key, value):
    return f"<elem key={quoteattr(key)}>{value}</elem>"


def digits(chance, count):
    return f"{chance.getrandbits(count * 4):0{count}x}"


def service(name, product=None, version=None, cpe=None, tunnel=None):
    parts = [f'<service name="{name}"']
    if product is None:
        return parts[0] + ' method="table" conf="3"/>'
    parts += [f'product="{product}"'] + ([f'version="{version}"'] if version else []) + ([f'tunnel="{tunnel}"'] if tunnel else [])
    return " ".join(parts) + f' method="probed" conf="10"><cpe>{cpe}</cpe></service>'


def port(number, about, scripts="", state="open", reason="syn-ack"):
    return (f'<port protocol="tcp" portid="{number}"><state state="{state}" reason="{reason}" reason_ttl="64"/>'
            f"{about}{scripts}</port>\n")


def ssh(chance):
    keys = [("ssh-rsa", 3072, 279), ("ecdsa-sha2-nistp256", 256, 104), ("ssh-ed25519", 256, 51)]
    lines, inside = [], []
    for kind, bits, size in keys:
        print_, key = digits(chance, 32), base64.b64encode(chance.randbytes(size)).decode()
        shown = ":".join(print_[at:at + 2] for at in range(0, 32, 2))
        lines.append(f"\n  {bits} {shown} ({kind.split('-')[-1].upper()})")
        table = elem("type", kind) + elem("bits", bits) + elem("fingerprint", print_) + elem("key", key)
        inside.append(f"<table>\n{table}\n</table>\n")
    return port(22, service("ssh", *chance.choice(SSH)), script("ssh-hostkey", "".join(lines), "".join(inside)))


def http_scripts(chance, product, version):
    title = f"{chance.choice(TITLES)} {chance.randrange(2000)}"
    methods = script("http-methods", "\n  Supported Methods: GET HEAD POST OPTIONS",
                     '<table key="Supported Methods">\n' + "".join(f"<elem>{m}</elem>\n" for m in ("GET", "HEAD", "POST", "OPTIONS")) + "</table>\n")
    return (methods + script("http-server-header", f"{product.split()[0]}/{version}", f"<elem>{product.split()[0]}/{version}</elem>")
            + script("http-title", title, elem("title", title)))


def certificate(chance, name):
    pem = base64.encodebytes(chance.randbytes(chance.choice((620, 870, 1180)))).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{pem}-----END CERTIFICATE-----\n"
    sha1, md5, modulus = digits(chance, 40), digits(chance, 32), digits(chance, 512)
    begins, ends = f"2026-0{chance.randrange(1, 9)}-01T00:00:00", f"2027-0{chance.randrange(1, 9)}-01T00:00:00"
    output = (f"Subject: commonName={name}\nSubject Alternative Name: DNS:{name}, DNS:www.{name}\n"
              f"Not valid before: {begins}\nNot valid after:  {ends}")
    subject = f'<table key="subject">\n{elem("commonName", name)}\n</table>\n'
    issuer = f'<table key="issuer">\n{elem("commonName", "R11")}\n{elem("organizationName", "Example CA")}\n</table>\n'
    public = f'<table key="pubkey">\n{elem("type", "rsa")}\n{elem("bits", 2048)}\n{elem("modulus", modulus)}\n{elem("exponent", 65537)}\n</table>\n'
    validity = f'<table key="validity">\n{elem("notBefore", begins)}\n{elem("notAfter", ends)}\n</table>\n'
    rest = "".join(elem(key, value) + "\n" for key, value in (("sig_algo", "sha256WithRSAEncryption"), ("md5", md5), ("sha1", sha1), ("pem", pem)))
    return script("ssl-cert", output, subject + issuer + public + validity + rest)


def ports(chance, name):
    yield ssh(chance)
    server = chance.choice(HTTP)
    yield port(80, service("http", *server), http_scripts(chance, *server[:2]))
    secure = chance.choice(HTTP)
    yield port(443, service("http", *secure, tunnel="ssl"), certificate(chance, name) + http_scripts(chance, *secure[:2]))
    number, *about = chance.choice(OTHER)
    yield port(number, service(*about))
    if chance.random() < 0.7:
        yield port(8443, service("https-alt"), certificate(chance, "device.invalid"))
    else:
        yield port(8443, service("https-alt"), state="closed", reason="reset")


def host(number):
    chance = random.Random(SEED * 1_000_003 + number)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    name = f"host{number}.example.invalid"
    begun = START + number // 8
    return (f'<host starttime="{begun}" endtime="{begun + 40}"><status state="up" reason="echo-reply" reason_ttl="64"/>\n'
            f'<address addr="{address}" addrtype="ipv4"/>\n<hostnames>\n<hostname name="{name}" type="PTR"/>\n</hostnames>\n'
            f'<ports><extraports state="closed" count="995">\n<extrareasons reason="reset" count="995"/>\n</extraports>\n'
            f'{"".join(ports(chance, name))}</ports>\n<times srtt="344" rttvar="93" to="100000"/>\n</host>\n')


def write(hosts, path):
    """Writes the file; gives its size in bytes."""
    with open(path, "w", encoding="ascii") as out:
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE nmaprun>\n'
                  '<?xml-stylesheet href="file:///usr/bin/../share/nmap/nmap.xsl" type="text/xsl"?>\n'
                  f'<nmaprun scanner="nmap" args="nmap -sV -sC -oX scan.xml 10.0.0.0/8" start="{START}" '
                  'startstr="Mon Sep 21 14:13:20 2026" version="7.95" xmloutputversion="1.05">\n'
                  '<scaninfo type="syn" protocol="tcp" numservices="1000" services="1-1000"/>\n')
        for number in range(1, hosts + 1):
            out.write(host(number))
        out.write(f'<runstats><finished time="{START + hosts}" timestr="" elapsed="{hosts}.00" summary="" exit="success"/>'
                  f'<hosts up="{hosts}" down="0" total="{hosts}"/>\n</runstats>\n</nmaprun>\n')
        return out.tell()


if __name__ == "__main__":
    print(write(int(sys.argv[1]), sys.argv[2]))
