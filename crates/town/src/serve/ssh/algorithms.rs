//! The lists of algorithms, and how two lists agree (RFC 4253, section 7.1).
//!
//! The lists are those of the programs, less what this server cannot do and a client would choose first: RSA host keys,
//! and, but for the one program that is there to show them, hybrid post-quantum exchanges. So HASSH differs from the
//! real program's.

use super::packet::take_string;
use crate::persona::SshFlavour;

/// Exchanges that this server can hold, under both of their names.
const EXCHANGES: [&str; 2] = ["curve25519-sha256", "curve25519-sha256@libssh.org"];

/// A server's lists; ciphers, MACs and compression are alike in both directions.
pub(super) struct Lists {
    exchanges: &'static str,
    host_keys: &'static str,
    ciphers: &'static str,
    macs: &'static str,
    compression: &'static str,
}

/// What a client offers, as far as it matters here.
pub(super) struct Offer {
    exchanges: Vec<String>,
    host_keys: Vec<String>,
    guess_follows: bool,
}

/// That the lists agree.
pub(super) struct Agreed {
    /// The client has sent a message on a wrong guess, which is to be ignored.
    pub(super) skip_guess: bool,
}

/// The lists of a program.
pub(super) const fn of(flavour: SshFlavour) -> Lists {
    match flavour {
        SshFlavour::Openssh => Lists {
            exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,\
                        ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,\
                        diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
            host_keys: "ssh-ed25519",
            ciphers: "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,\
                      aes256-gcm@openssh.com",
            macs: "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,\
                   hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,\
                   hmac-sha2-256,hmac-sha2-512,hmac-sha1",
            compression: "none,zlib@openssh.com",
        },
        SshFlavour::OpensshHybrid => Lists {
            exchanges: "mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,\
                        ecdh-sha2-nistp521",
            ..of(SshFlavour::Openssh)
        },
        SshFlavour::DropbearOld => Lists {
            exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,\
                        diffie-hellman-group14-sha1,diffie-hellman-group1-sha1",
            ciphers: "aes128-ctr,aes256-ctr,aes128-cbc,3des-cbc",
            macs: "hmac-sha1,hmac-md5",
            ..of(SshFlavour::Dropbear)
        },
        SshFlavour::Dropbear => Lists {
            exchanges: "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp521,ecdh-sha2-nistp384,\
                        ecdh-sha2-nistp256,diffie-hellman-group14-sha256,kexguess2@matt.ucc.asn.au",
            host_keys: "ssh-ed25519",
            ciphers: "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr",
            macs: "hmac-sha1,hmac-sha2-256",
            compression: "zlib@openssh.com,none",
        },
        SshFlavour::Plain => Lists {
            exchanges: "curve25519-sha256",
            host_keys: "ssh-ed25519",
            ciphers: "aes128-ctr,aes256-ctr",
            macs: "hmac-sha2-256",
            compression: "none",
        },
    }
}

impl Lists {
    /// The ten lists of a KEXINIT; no languages.
    pub(super) fn in_order(&self) -> [&'static str; 10] {
        let Self { exchanges, host_keys, ciphers, macs, compression } = self;
        [exchanges, host_keys, ciphers, ciphers, macs, macs, compression, compression, "", ""]
    }

    /// Whether the client's first choice among the common ones is one that this server can hold.
    pub(super) fn agree(&self, offer: &Offer) -> Option<Agreed> {
        let exchange = first_common(&offer.exchanges, self.exchanges)?;
        let host_key = first_common(&offer.host_keys, self.host_keys)?;
        if !EXCHANGES.contains(&exchange) {
            return None;
        }
        let guessed = offer.exchanges.first().map(String::as_str) == self.exchanges.split(',').next()
            && offer.host_keys.first().map(String::as_str) == Some(host_key);
        Some(Agreed { skip_guess: offer.guess_follows && !guessed })
    }
}

fn first_common<'a>(theirs: &'a [String], ours: &str) -> Option<&'a str> {
    theirs.iter().map(String::as_str).find(|name| ours.split(',').any(|own| own == *name))
}

/// Reads a client's KEXINIT. `None` when it is none.
pub(super) fn read_offer(message: &[u8]) -> Option<Offer> {
    let mut rest = message.get(17..)?;
    let mut lists = Vec::with_capacity(10);
    for _ in 0..10 {
        let (list, after) = take_string(rest)?;
        let text = std::str::from_utf8(list).ok()?;
        lists.push(text.split(',').map(str::to_owned).collect::<Vec<_>>());
        rest = after;
    }
    let mut lists = lists.into_iter();
    Some(Offer { exchanges: lists.next()?, host_keys: lists.next()?, guess_follows: *rest.first()? != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(exchanges: &[&str], guess_follows: bool) -> Offer {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Offer { exchanges: owned(exchanges), host_keys: owned(&["ssh-rsa", "ssh-ed25519"]), guess_follows }
    }

    #[test]
    fn the_clients_first_common_choice_decides() {
        let lists = of(SshFlavour::Openssh);
        assert!(lists.agree(&offer(&["sntrup761x25519-sha512", "curve25519-sha256"], false)).is_some());
        assert!(lists.agree(&offer(&["ecdh-sha2-nistp256", "curve25519-sha256"], false)).is_none());
        assert!(lists.agree(&offer(&["nothing"], false)).is_none());
        let guessed_wrong = lists.agree(&offer(&["curve25519-sha256"], true)).expect("agreed");
        assert!(guessed_wrong.skip_guess, "its first host key is not ours");
    }

    #[test]
    fn a_broken_offer_is_refused() {
        assert!(read_offer(&[20; 17]).is_none());
        assert!(read_offer(&[]).is_none());
    }
}
