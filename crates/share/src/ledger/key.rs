//! The key that signs checkpoints: a file of the state folder, made at first use, for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use data_encoding::BASE64;
use ring::rand::{SecureRandom, SystemRandom};

use super::LedgerError;
use super::note::Signer;

/// Its name in the state folder.
pub const KEY_FILE: &str = "ledger.key";
/// Bytes of a seed.
const SEED_BYTES: usize = 32;

/// Random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], LedgerError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| LedgerError::Key("the system gives no random bytes".to_owned()))?;
    Ok(bytes)
}

/// The key of this folder under this name, and whether it was made just now.
pub(super) fn load_or_make(folder: &Path, name: &str) -> Result<(Signer, bool), LedgerError> {
    let path = folder.join(KEY_FILE);
    let failed = |error: std::io::Error| LedgerError::Key(format!("{}: {error}", path.display()));
    let made = match fs::symlink_metadata(&path) {
        Ok(_) => false,
        Err(error) if error.kind() == ErrorKind::NotFound => make(folder, &path).map_err(failed)?,
        Err(error) => return Err(failed(error)),
    };
    let text = fs::read_to_string(&path).map_err(failed)?;
    let seed = BASE64.decode(text.trim().as_bytes()).ok().filter(|seed| seed.len() == SEED_BYTES);
    let seed = seed.ok_or_else(|| LedgerError::Key(format!("{}: no key stands in it", path.display())))?;
    Ok((Signer::new(name, &seed)?, made))
}

/// Makes it whole under another name first: of two that make it at once one wins, and nobody reads half of it.
fn make(folder: &Path, path: &Path) -> std::io::Result<bool> {
    let seed: [u8; SEED_BYTES] = random().map_err(|error| std::io::Error::other(error.to_string()))?;
    let draft = tempfile_in(folder)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&draft).and_then(|mut file| {
        writeln!(file, "{}", BASE64.encode(&seed))?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn tempfile_in(folder: &Path) -> std::io::Result<std::path::PathBuf> {
    let name: [u8; 8] = random().map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(folder.join(format!(".{KEY_FILE}-{}", data_encoding::HEXLOWER.encode(&name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let made: Vec<_> = std::thread::scope(|scope| {
            let many: Vec<_> = (0..8).map(|_| scope.spawn(|| load_or_make(folder.path(), "log").unwrap())).collect();
            many.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(made.iter().filter(|(_, made)| *made).count(), 1);
        let first = made[0].0.verifier();
        assert!(made.iter().all(|(signer, _)| signer.verifier() == first));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "drafts are taken away");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(KEY_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(folder.path().join(KEY_FILE), "rubbish\n").unwrap();
        assert!(load_or_make(folder.path(), "log").is_err());
    }
}
