//! Passwords: what may be one, and what is kept of it (argon2id, RFC 9106).
//!
//! One hash takes 19 MiB and about a twentieth of a second; who hashes at the word of strangers bounds how many at a time.

use std::fmt;
use std::sync::LazyLock;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::StateError;

/// Fewest characters.
pub const MIN_CHARS: usize = 12;
/// Most bytes.
pub const MAX_BYTES: usize = 512;
const SALT_BYTES: usize = 16;
/// OWASP password storage cheat sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Words that the first guesses are made of; a password of these and digits alone is one of them.
const COMMON: &[&str] = &[
    "password",
    "passw0rd",
    "qwerty",
    "qwertyuiop",
    "asdfghjkl",
    "administrator",
    "admin",
    "letmein",
    "welcome",
    "hinomi",
    "changeme",
    "secret",
    "iloveyou",
    "monkey",
    "dragon",
    "abc",
    "test",
    "user",
    "root",
    "pass",
    "login",
];

/// What is kept of a password: a text in the PHC format. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub(crate) String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

fn hasher() -> Result<Argon2<'static>, StateError> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None);
    let params = params.map_err(|error| StateError::damaged(format!("argon2: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

impl PasswordHash {
    /// Hashes a password for an account of this name; takes time and memory.
    ///
    /// # Errors
    /// When it is too short, too long or among the first that are guessed; the reason is for its owner.
    pub fn of(password: &str, name: &str) -> Result<Self, StateError> {
        check(password, name).map_err(StateError::refused)?;
        let mut salt = [0; SALT_BYTES];
        SystemRandom::new().fill(&mut salt).map_err(|_| StateError::refused("the system gives no randomness"))?;
        let hashed = hasher()?.hash_password_with_salt(password.as_bytes(), &salt);
        Ok(Self(hashed.map_err(|error| StateError::damaged(format!("argon2: {error}")))?.to_string()))
    }

    /// Whether this is the password; takes time and memory.
    pub fn is(&self, password: &str) -> bool {
        let Ok(hasher) = hasher() else { return false };
        let fits = password.len() <= MAX_BYTES;
        fits & hasher.verify_password(password.as_bytes(), self.0.as_str()).is_ok()
    }

    /// A hash that no password has, so that a name that nobody has takes the same work.
    pub fn nobody() -> Self {
        static NOBODY: LazyLock<PasswordHash> = LazyLock::new(|| {
            let made = crate::secret::secret().and_then(|secret| PasswordHash::of(&secret, ""));
            made.unwrap_or_else(|_| PasswordHash(String::new()))
        });
        NOBODY.clone()
    }
}

fn check(password: &str, name: &str) -> Result<(), String> {
    if password.len() > MAX_BYTES {
        return Err(format!("a password has at most {MAX_BYTES} bytes"));
    }
    if password.chars().count() < MIN_CHARS {
        return Err(format!("a password has at least {MIN_CHARS} characters; several words in a row are easy to keep"));
    }
    let mut rest = password.to_lowercase();
    for word in COMMON.iter().copied().chain([name]).filter(|word| !word.is_empty()) {
        rest = rest.replace(word, "");
    }
    let mut letters: Vec<char> = rest.chars().filter(|c| c.is_alphabetic()).collect();
    letters.sort_unstable();
    letters.dedup();
    let mut all: Vec<char> = rest.chars().collect();
    all.sort_unstable();
    all.dedup();
    if letters.len() < 3 && all.len() <= 10 {
        return Err("this password is among the first that are guessed; several words in a row are easy to keep".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_nothing_else_is() {
        let kept = PasswordHash::of("four words in a row", "ann").unwrap();
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert!(kept.is("four words in a row") && !kept.is("four words in a ro") && !kept.is(""));
        assert_ne!(kept, PasswordHash::of("four words in a row", "ann").unwrap(), "salted");
        assert!(!PasswordHash::nobody().is("") && !PasswordHash::nobody().is("four words in a row"));
        assert!(!format!("{kept:?}").contains("argon2"));
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for bad in ["short", "password1234", "aaaaaaaaaaaaaaa", "123456789012", "AnnAnnAnnAnn1", "Passw0rd!Passw0rd!"] {
            assert!(check(bad, "ann").is_err(), "{bad}");
        }
        assert!(check(&"x".repeat(MAX_BYTES + 1), "ann").is_err());
        for good in ["correct horse battery", "冬の朝に鐘が鳴る火の見櫓の上", "0f8a91c2bd7755aa"] {
            assert!(check(good, "ann").is_ok(), "{good}");
        }
    }
}
