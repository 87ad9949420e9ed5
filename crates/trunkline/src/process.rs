//! What this process asks of the system that it runs on.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Lets this process open as many files and sockets as the system permits it: the soft limit is raised to the hard
/// one. Many systems begin at 1024, for programs that use `select`; nothing here does. A system that refuses keeps its
/// limit, and the server takes fewer connections at once.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_err() {
        tracing::debug!(limit = current, "the limit of open files cannot be raised");
    }
}

/// Lets nobody but this process's user read the files that it makes from now on. The databases hold what people wrote,
/// and their engines make more files beside them (`-wal`, `-shm`), with the rights that the process gives.
pub fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// How many files and sockets may be open at once; `None` for no limit.
pub(crate) fn open_files() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}
