//! Real servers from Debian packages, started on loopback for a survey to be tested against.
//!
//! [`all`] is the table of what can be started; each [`Daemon`] carries the [`Truth`] that a survey should find out
//! by itself. [`start`] starts one on the port it is given and returns when it has answered; dropping the [`Running`]
//! ends it. `.ci/daemons.sh` installs the packages; [`Daemon::missing`] says which one is absent.
//!
//! ```ignore
//! let daemon = daemons::find("lighttpd").ok_or("no such daemon")?;
//! let running = daemons::start(daemon, directory.path(), 23_080)?;
//! assert_eq!(surveyed_version, running.version()); // what `dpkg` knows, in the server's own words
//! ```
//!
//! Each daemon runs in process, mount, host name and shared memory namespaces of its own (`unshare`, which needs
//! root), so that it ends with all it forked, finds fixed paths such as `/run` empty, and leaves nothing behind. It
//! listens on 127.0.0.1 and nowhere else; the few that insist on all addresses or on one port get a network namespace
//! too, with a relay from 127.0.0.1 (`inside.sh`).

mod data;
mod dns;
mod hello;
mod infra;
mod iot;
mod launch;
mod mail;
mod package;
mod remote;
#[cfg(test)]
mod tests;
mod web;

pub(crate) use launch::{Running, start};
pub(crate) use mail::{GUARDED_MAILBOX, MAILBOX};
pub(crate) use package::missing;

/// How to reach a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

/// The certificate a daemon shows, where it speaks TLS from the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// Self-signed, elliptic curve, valid now.
    Current,
    /// Self-signed, RSA, ended in 2021.
    Expired,
}

/// What is really running: the answer that a survey is measured against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    /// What it speaks, in lower case: `http`, `https`, `ssh`...
    pub(crate) protocol: &'static str,
    /// Who makes it.
    pub(crate) vendor: &'static str,
    /// Its name.
    pub(crate) product: &'static str,
    /// Whether the answer to [`Daemon::hello`], or one more read-only question, lets one tell the product. Where this
    /// is false only the protocol can be asked of a survey.
    pub(crate) named: bool,
    /// From the upstream version of the package to the version as the server announces it to a stranger, less what
    /// Debian appends (`9.18.49` of `9.18.49-1~deb12u3-Debian`); `None` where it announces none.
    pub(crate) version: Option<fn(&str) -> String>,
}

/// One server that can be started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Daemon {
    /// Unique here.
    pub(crate) name: &'static str,
    /// The Debian package it comes from.
    pub(crate) package: &'static str,
    /// The program that must be there.
    pub(crate) binary: &'static str,
    /// How to reach it.
    pub(crate) transport: Transport,
    /// What a survey should find.
    pub(crate) truth: Truth,
    /// Its certificate, if it speaks TLS from the first byte.
    pub(crate) certificate: Option<Certificate>,
    /// What makes it speak; empty if it speaks first.
    pub(crate) hello: &'static [u8],
    /// The address and port it insists on, if it cannot be told where to listen: it then gets a network of its own.
    inside: Option<&'static str>,
    /// Configuration files by name; `@PORT@` stands for the port.
    files: &'static [(&'static str, &'static str)],
    /// Shell text, run as root in the daemon's directory, that ends with the daemon in the foreground. It has
    /// `helpers.sh` before it and the port in `$PORT`.
    run: &'static str,
}

impl Daemon {
    /// The package that has to be installed first, if it is not there.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        missing(self.binary).then_some(self.package)
    }

    /// The version that the server announces, computed from the package that is installed.
    ///
    /// # Errors
    /// The package is not installed.
    pub(crate) fn version(&self) -> Result<Option<String>, String> {
        let Some(announced) = self.truth.version else { return Ok(None) };
        Ok(Some(announced(&package::upstream(self.package)?)))
    }
}

/// Every daemon, in no particular order.
pub(crate) fn all() -> impl Iterator<Item = &'static Daemon> {
    [web::DAEMONS, remote::DAEMONS, mail::DAEMONS, data::DAEMONS, dns::DAEMONS, infra::DAEMONS, iot::DAEMONS]
        .into_iter()
        .flatten()
}

/// The daemon of that name.
pub(crate) fn find(name: &str) -> Option<&'static Daemon> {
    all().find(|daemon| daemon.name == name)
}

/// What most entries of the tables share: a tables' row says only what differs.
const fn tcp(name: &'static str, package: &'static str, binary: &'static str, truth: Truth) -> Daemon {
    Daemon {
        name,
        package,
        binary,
        transport: Transport::Tcp,
        truth,
        certificate: None,
        hello: hello::SERVER_FIRST,
        inside: None,
        files: &[],
        run: "",
    }
}

/// The same over UDP.
const fn udp(name: &'static str, package: &'static str, binary: &'static str, truth: Truth) -> Daemon {
    Daemon { transport: Transport::Udp, ..tcp(name, package, binary, truth) }
}

/// A product that says who it is, and no version.
const fn named(protocol: &'static str, vendor: &'static str, product: &'static str) -> Truth {
    Truth { protocol, vendor, product, named: true, version: None }
}

/// A product that says who it is, and the version that the package carries.
const fn versioned(protocol: &'static str, vendor: &'static str, product: &'static str) -> Truth {
    Truth { version: Some(whole), ..named(protocol, vendor, product) }
}

/// A product that cannot be told from others that speak the protocol.
const fn unnamed(protocol: &'static str, vendor: &'static str, product: &'static str) -> Truth {
    Truth { named: false, ..named(protocol, vendor, product) }
}

/// The upstream version as it is.
fn whole(upstream: &str) -> String {
    upstream.to_owned()
}

/// `2.4` of `2.4.2`.
fn major_minor(upstream: &str) -> String {
    upstream.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}
