//! `alerts.toml`: by which relay mail leaves, and whether webhooks may go to networks that are not public.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The file, in the state folder.
pub(crate) const FILE: &str = "alerts.toml";
/// Longest password, in bytes.
const MAX_PASSWORD_BYTES: u64 = 4_096;
/// Longest file, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// All of it; an absent file is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// None: mail waits.
    pub(crate) mail: Option<MailSettings>,
    pub(crate) web: WebSettings,
}

/// The relay.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailSettings {
    /// `smtp.example.jp:587`
    server: String,
    /// Who writes: `Hinomi <hinomi@example.jp>`.
    pub(crate) from: String,
    #[serde(default)]
    pub(crate) tls: Security,
    /// A certificate to trust besides those of this machine, PEM.
    pub(crate) root_file: Option<PathBuf>,
    pub(crate) user: Option<String>,
    password_file: Option<PathBuf>,
}

/// How the relay is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Security {
    /// Plain at first, then TLS or nothing.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Wrapped,
    /// None: a relay on this machine.
    None,
}

/// Webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebSettings {
    /// Whether addresses of networks that are not public may be told.
    pub(crate) allow_private: bool,
}

impl Settings {
    /// Of this state folder.
    ///
    /// # Errors
    /// When the file cannot be read or understood.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
            Ok(about) if about.len() > MAX_FILE_BYTES => bail!("{} is too long", path.display()),
            Ok(_) => {}
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let settings: Self = toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))?;
        settings.check().with_context(|| format!("cannot use {}", path.display()))?;
        Ok(settings)
    }

    fn check(&self) -> Result<()> {
        let Some(mail) = &self.mail else { return Ok(()) };
        let (host, _) = mail.place()?;
        let here = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
        if mail.tls == Security::None && !here {
            bail!("mail.tls = \"none\" is for a relay on this machine; {host} is not");
        }
        if mail.user.is_some() != mail.password_file.is_some() {
            bail!("mail.user and mail.password_file go together");
        }
        Ok(())
    }
}

impl MailSettings {
    /// Host and port.
    pub(crate) fn place(&self) -> Result<(String, u16)> {
        let wrong = || format!("mail.server is {:?}; it is a name and a port, as smtp.example.jp:587", self.server);
        let (host, port) = self.server.rsplit_once(':').with_context(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok((host.to_owned(), port.parse().with_context(wrong)?))
    }

    /// From its file, without the line's end.
    pub(crate) fn password(&self) -> Result<String> {
        let path = self.password_file.as_ref().context("mail.password_file is not named")?;
        let about = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if about.len() > MAX_PASSWORD_BYTES {
            bail!("{} is too long for a password", path.display());
        }
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), text).expect("written");
        Settings::read(folder.path()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_would_send_passwords_in_the_clear_or_is_unknown_is_refused() {
        assert_eq!(Settings::read(Path::new("/no/such/folder")).ok(), Some(Settings::default()));
        let mail = "[mail]\nserver = \"smtp.example.jp:587\"\nfrom = \"hinomi@example.jp\"\n";
        assert_eq!(read(mail).map(|all| all.mail.map(|mail| mail.tls)), Ok(Some(Security::Starttls)));
        assert!(read(&format!("{mail}tls = \"none\"\n")).is_err_and(|why| why.contains("relay on this machine")));
        assert!(read(&format!("{mail}user = \"a\"\n")).is_err_and(|why| why.contains("go together")));
        assert!(read(&format!("{mail}pasword = \"a\"\n")).is_err_and(|why| why.contains("pasword")));
        assert!(
            read("[mail]\nserver = \"smtp\"\nfrom = \"a@b.c\"\n").is_err_and(|why| why.contains("a name and a port"))
        );
        assert!(read("[web]\nallow_private = true\n").is_ok_and(|all| all.web.allow_private));
    }
}
