use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;

use super::*;

/// Confinement holds for a thread and what it starts: the test's own goes on as before.
#[test]
fn a_confined_thread_writes_below_its_folder_opens_connections_and_does_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, outside) = (folder.path().join("state"), folder.path().join("outside"));
    fs::create_dir(&state).expect("made");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("read"), "me").expect("written");
    let confined = std::thread::spawn({
        let outside = outside.clone();
        move || {
            let remarks = confine(&state).expect("confined");
            if !remarks.is_empty() {
                // An older kernel. Where tests must not stand aside, it is a failure.
                return assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "{remarks:?}");
            }
            assert!(!is_privileged());
            assert_eq!(fs::read(outside.join("read")).expect("read"), b"me");
            fs::write(state.join("a"), "b").expect("written below the folder");
            fs::rename(state.join("a"), state.join("c")).expect("moved");
            let refused = |result: std::io::Result<()>| result.expect_err("refused").kind();
            assert_eq!(refused(fs::write(outside.join("new"), "x")), ErrorKind::PermissionDenied);
            assert_eq!(refused(fs::write(outside.join("read"), "x")), ErrorKind::PermissionDenied);
            assert_eq!(refused(fs::remove_file(outside.join("read"))), ErrorKind::PermissionDenied);
            assert!(Command::new("/bin/true").status().is_err(), "no program is started");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            assert!(fs::set_permissions(outside.join("read"), mode).is_err(), "no file's mode is changed");
            assert!(std::os::unix::net::UnixDatagram::unbound().is_err(), "nobody on this machine is talked to");
            let terminal = rustix::process::getpid();
            assert!(rustix::process::test_kill_process(terminal).is_err(), "no signal is sent");
            assert!(TcpListener::bind("127.0.0.1:0").is_ok(), "ordinary sockets are opened");
            assert!(std::thread::spawn(|| fs::write("/tmp/hinomi-outside", "x")).join().expect("ran").is_err());
        }
    });
    confined.join().expect("as it should be");
    assert_eq!(fs::read(outside.join("read")).expect("read"), b"me");
    fs::write(outside.join("new"), "the test itself is free").expect("written");
}
