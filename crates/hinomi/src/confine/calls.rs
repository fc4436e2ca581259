//! The system calls that a survey needs; all others do not exist for it.
//!
//! A list of what is permitted, not of what is forbidden: what the kernel gains tomorrow is out of reach. What is not on
//! the list fails as on a kernel that does not know it (`ENOSYS`), so that libraries fall back to what they did before.

use anyhow::Result;
use libc::{
    AF_INET, AF_INET6, AF_NETLINK, CLONE_THREAD, SOCK_DGRAM, SOCK_STREAM, SYS_accept4, SYS_bind, SYS_brk,
    SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_clone, SYS_close, SYS_close_range, SYS_connect,
    SYS_copy_file_range, SYS_dup, SYS_dup3, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2,
    SYS_eventfd2, SYS_exit, SYS_exit_group, SYS_faccessat, SYS_faccessat2, SYS_fadvise64, SYS_fallocate, SYS_fcntl,
    SYS_fdatasync, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_ftruncate, SYS_futex, SYS_getcpu, SYS_getcwd,
    SYS_getdents64, SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getpeername, SYS_getpid, SYS_getppid, SYS_getrandom,
    SYS_getrusage, SYS_getsockname, SYS_getsockopt, SYS_gettid, SYS_gettimeofday, SYS_getuid, SYS_ioctl, SYS_linkat,
    SYS_listen, SYS_lseek, SYS_madvise, SYS_membarrier, SYS_mincore, SYS_mkdirat, SYS_mlock, SYS_mmap, SYS_mprotect,
    SYS_mremap, SYS_munlock, SYS_munmap, SYS_nanosleep, SYS_newfstatat, SYS_openat, SYS_pipe2, SYS_ppoll, SYS_prctl,
    SYS_pread64, SYS_preadv, SYS_prlimit64, SYS_pselect6, SYS_pwrite64, SYS_pwritev, SYS_read, SYS_readlinkat,
    SYS_readv, SYS_recvfrom, SYS_recvmmsg, SYS_recvmsg, SYS_renameat, SYS_renameat2, SYS_restart_syscall, SYS_rseq,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_getaffinity, SYS_sched_yield, SYS_sendfile,
    SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_set_robust_list, SYS_setsockopt, SYS_shutdown, SYS_sigaltstack,
    SYS_socket, SYS_socketpair, SYS_statfs, SYS_statx, SYS_sync_file_range, SYS_sysinfo, SYS_tgkill,
    SYS_timerfd_create, SYS_timerfd_settime, SYS_uname, SYS_unlinkat, SYS_wait4, SYS_waitid, SYS_write, SYS_writev,
    c_int, c_long,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

/// Calls whose arguments do not matter.
pub(super) type Calls = &'static [&'static [c_long]];

/// What a survey does: threads, files, ordinary connections.
pub(super) const SURVEYING: Calls = &[EVERYBODY, THREADS, FILES, SOCKETS, OLDER];
/// What the opener of sockets does.
pub(super) const OPENING: Calls = &[
    EVERYBODY,
    &[
        SYS_bind,
        SYS_getsockname,
        SYS_listen,
        SYS_ppoll,
        SYS_recvfrom,
        SYS_sendmsg,
        SYS_sendto,
        SYS_setsockopt,
        SYS_socket,
    ],
];

const EVERYBODY: &[c_long] = &[
    SYS_brk,
    SYS_close,
    SYS_exit,
    SYS_exit_group,
    SYS_futex,
    SYS_madvise,
    SYS_mmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_munmap,
    SYS_read,
    SYS_restart_syscall,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_write,
];

const THREADS: &[c_long] = &[
    SYS_clock_getres,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_eventfd2,
    SYS_getcpu,
    SYS_getegid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getpid,
    SYS_getppid,
    SYS_getrandom,
    SYS_getrusage,
    SYS_gettid,
    SYS_gettimeofday,
    SYS_getuid,
    SYS_membarrier,
    SYS_mincore,
    SYS_mlock,
    SYS_munlock,
    SYS_nanosleep,
    SYS_ppoll,
    SYS_prlimit64,
    SYS_pselect6,
    SYS_rseq,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_set_robust_list,
    SYS_sysinfo,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_uname,
    // For the helper, and for no other child, since none can be made.
    SYS_wait4,
    SYS_waitid,
];

const FILES: &[c_long] = &[
    SYS_close_range,
    SYS_copy_file_range,
    SYS_dup,
    SYS_dup3,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_fadvise64,
    SYS_fallocate,
    SYS_fcntl,
    SYS_fdatasync,
    SYS_flock,
    SYS_fstat,
    SYS_fstatfs,
    SYS_fsync,
    SYS_ftruncate,
    SYS_getcwd,
    SYS_getdents64,
    SYS_linkat,
    SYS_lseek,
    SYS_mkdirat,
    SYS_newfstatat,
    SYS_openat,
    SYS_pipe2,
    SYS_pread64,
    SYS_preadv,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_readlinkat,
    SYS_readv,
    SYS_renameat,
    SYS_renameat2,
    SYS_sendfile,
    SYS_statfs,
    SYS_statx,
    SYS_sync_file_range,
    SYS_unlinkat,
    SYS_writev,
];

const SOCKETS: &[c_long] = &[
    SYS_accept4,
    SYS_bind,
    SYS_connect,
    SYS_getpeername,
    SYS_getsockname,
    SYS_getsockopt,
    SYS_listen,
    SYS_recvfrom,
    SYS_recvmmsg,
    SYS_recvmsg,
    SYS_sendmmsg,
    SYS_sendmsg,
    SYS_sendto,
    SYS_setsockopt,
    SYS_shutdown,
    SYS_socketpair,
];

/// Calls of older days that only this architecture has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_accept,
    libc::SYS_arch_prctl,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_link,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// What threads may say of themselves: their names, and those of their memory.
const PRCTL: [c_int; 3] = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];

/// From now on only these calls exist for this thread and all that it starts; of sockets, threads and their names, where
/// the calls are those of a survey, only what their rules say.
pub(super) fn allow(calls: Calls) -> Result<()> {
    let mut rules: std::collections::BTreeMap<c_long, Vec<SeccompRule>> =
        calls.iter().copied().flatten().map(|call| (*call, Vec::new())).collect();
    if calls == SURVEYING {
        rules.extend([
            (SYS_socket, sockets()?),
            (SYS_clone, vec![threads()?]),
            (SYS_prctl, names()?),
            (SYS_ioctl, vec![no_typing()?]),
            (SYS_tgkill, vec![oneself()?]),
        ]);
    }
    let unknown = SeccompAction::Errno(u32::try_from(libc::ENOSYS)?);
    let filter = SeccompFilter::new(rules, unknown, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// Connections and datagrams of the internet, and questions to the kernel about routes. No local sockets: behind those sit
/// services that do more than we may.
fn sockets() -> Result<Vec<SeccompRule>> {
    const KIND: u64 = 0xf;
    let mut rules = vec![rule(&[(0, SeccompCmpOp::Eq, AF_NETLINK)])?];
    for family in [AF_INET, AF_INET6] {
        for kind in [SOCK_STREAM, SOCK_DGRAM] {
            rules.push(rule(&[(0, SeccompCmpOp::Eq, family), (1, SeccompCmpOp::MaskedEq(KIND), kind)])?);
        }
    }
    Ok(rules)
}

/// Threads, and no processes.
fn threads() -> Result<SeccompRule> {
    rule(&[(0, SeccompCmpOp::MaskedEq(u64::try_from(CLONE_THREAD)?), CLONE_THREAD)])
}

/// Terminals are asked for their size, and nothing is typed into them on somebody's behalf.
fn no_typing() -> Result<SeccompRule> {
    let other = |request: u64| SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, request);
    Ok(SeccompRule::new(vec![other(TIOCSTI)?, other(TIOCLINUX)?])?)
}

/// `TIOCSTI` and `TIOCLINUX` (asm-generic/ioctls.h).
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541c;

/// Signals to this process only, as an abort sends one.
fn oneself() -> Result<SeccompRule> {
    rule(&[(0, SeccompCmpOp::Eq, c_int::try_from(std::process::id())?)])
}

fn names() -> Result<Vec<SeccompRule>> {
    PRCTL.into_iter().map(|what| rule(&[(0, SeccompCmpOp::Eq, what)])).collect()
}

/// Holds when all conditions (argument, comparison, value) do.
fn rule(conditions: &[(u8, SeccompCmpOp, c_int)]) -> Result<SeccompRule> {
    let conditions: Result<Vec<_>> = conditions
        .iter()
        .map(|(argument, comparison, value)| {
            let value = u64::try_from(*value)?;
            Ok(SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, comparison.clone(), value)?)
        })
        .collect();
    Ok(SeccompRule::new(conditions?)?)
}
